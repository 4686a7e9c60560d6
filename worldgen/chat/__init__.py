"""Chat: questions to an OpenAI-compatible endpoint, only with permission, cached by digest, and logged."""

from worldgen.chat.answers import json_in
from worldgen.chat.client import Chat, ChatSettings, Picture

__all__ = ["Chat", "ChatSettings", "Picture", "json_in"]
