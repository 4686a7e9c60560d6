"""The caption for a source that has none: what is always true of a driving clip, and what labels say."""

from typing import Final

from worldgen.datatypes import Condition, Labels, Spec
from worldgen.prompts.edit import edit_caption
from worldgen.prompts.structured import Aesthetics, Caption, Cinematography, Lighting
from worldgen.prompts.subjects import subjects_of

_FIXED: Final = (
    "Buildings, vehicles, people, lane markings, signs and traffic lights stay exactly as they are, "
    "in place, number, shape and motion; nothing is added."
)


def template_caption(
    spec: Spec, condition: Condition | None = None, labels: Labels | None = None, *, text: str = ""
) -> Caption:
    """Write a structured caption from a spec alone, with subjects where labels name them.

    Args:
        spec: What the clip shall show.
        condition: Of the source, for what the spec leaves alone.
        labels: Of the source.
        text: The source's own caption in plain words.
    """
    plain = Caption(
        subjects=subjects_of(labels) if labels is not None else (),
        background_setting="A road and its surroundings, seen through the front camera of a car.",
        lighting=Lighting(conditions="Natural light"),
        aesthetics=Aesthetics(
            composition="The road ahead in the middle of the frame", color_scheme="Natural colors"
        ),
        cinematography=Cinematography(
            camera_motion="As the recording car moves",
            framing="Wide shot of the road ahead",
            camera_angle="Eye level, from behind the windscreen",
            depth_of_field="Deep",
            focus="Sharp from near to far",
            lens_focal_length="Wide-angle camera of a car",
        ),
        style_medium="Live-action video",
        artistic_style="Documentary, realistic dashcam footage",
        context="Footage of a car's front camera in traffic",
        temporal_caption=f"The car's front camera records the road ahead without a cut. {_FIXED}",
    )
    said = text.strip()
    own = plain.model_copy(update={"background_setting": said, "temporal_caption": said}) if said else plain
    return edit_caption(own, spec, condition)
