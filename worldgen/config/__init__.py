"""Configuration: where configs/ is, how its files are read, and the words of specs."""

from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from worldgen.errors import ConfigError

Settings = TypeVar("Settings", bound=BaseModel)

_PACKAGE = Path(__file__).resolve().parent.parent


def find_configs() -> Path:
    """Return the folder configs/: of the checkout, or of the installed wheel.

    Raises:
        ConfigError: Neither is there; the installation is broken.
    """
    for folder in (_PACKAGE.parent / "configs", _PACKAGE / "_data" / "configs"):
        if (folder / "specs").is_dir():
            return folder
    message = f"no configs/ beside {_PACKAGE.name} and none in the installed package"
    raise ConfigError(message, reason="not_found", hint="install the package again")


def load_yaml(path: Path) -> Any:  # noqa: ANN401 -- whatever the file holds; callers validate
    """Read one YAML or JSON file as plain values; no tags, no objects.

    Raises:
        ConfigError: The file is missing, too large or not YAML.
    """
    try:
        if path.stat().st_size > 4_000_000:
            message = f"{path} holds {path.stat().st_size} bytes; a configuration has at most 4 million"
            raise ConfigError(message, reason="invalid")
        return yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as exc:
        message = f"cannot read {path}: {exc.strerror or exc}"
        raise ConfigError(message, reason="not_found") from exc
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as exc:
        message = f"{path} is not valid YAML or JSON: {exc}"
        raise ConfigError(message, reason="invalid") from exc


def load_settings(kind: str, name: str, settings: type[Settings]) -> Settings:
    """Read configs/<kind>/<name>.yaml as typed settings.

    Raises:
        ConfigError: No such file, or a field that is unknown or out of range.
    """
    path = find_configs() / kind / f"{name}.yaml"
    try:
        return settings.model_validate(load_yaml(path) or {})
    except ValidationError as exc:
        message = f"{path.name}: {exc}"
        raise ConfigError(message, reason="invalid") from exc


def validated(settings: type[Settings], **values: object) -> Settings:
    """Make typed settings from options that a user gave.

    Raises:
        ConfigError: `invalid`, naming the option and what is wrong with it.
    """
    try:
        return settings.model_validate(values)
    except ValidationError as exc:
        first = exc.errors()[0]
        message = f"{'.'.join(map(str, first['loc']))}: {first['msg']}"
        raise ConfigError(message, reason="invalid") from exc
