"""Captions of source clips, written for these tests in the schema of Cosmos 3."""

from worldgen.prompts import Caption

SUNNY = Caption.model_validate(
    {
        "subjects": [
            {
                "description": "A sunlit silver sedan driving ahead in the same lane",
                "appearance_details": "Clean metallic paint, bright sunlight glinting off the rear window",
                "relationship": "Directly ahead of the camera",
                "location": "Center midground",
                "action": "Drives forward, brake lights glowing red at the crossing",
                "state_changes": "Slows down in the long shadows of the trees",
                "clothing": "",
                "number_of_subjects": 1,
                "number_of_arms": 0,
                "mystery_field": "a sunny extra of some captioner",
            },
            {
                "description": "Two pedestrians in rain jackets on the right sidewalk",
                "location": "Right midground, on the dry sidewalk",
                "action": "Walking away under the clear blue sky",
                "number_of_subjects": 2,
                "number_of_arms": 4,
            },
        ],
        "background_setting": (
            "A wide suburban avenue on a clear, sunny day. Dry asphalt with fresh lane markings leads past brick "
            "houses and parked cars, and long shadows of the trees fall across the road. Sunlight floods the "
            "scene. A cafe with a striped awning stands at the corner, under a cloudless sky."
        ),
        "lighting": {
            "conditions": "Bright midday sun",
            "direction": "From above left",
            "shadows": "Hard and dark",
            "illumination_effect": "High contrast",
        },
        "aesthetics": {
            "composition": "One-point perspective",
            "color_scheme": "Warm greens and blues",
            "mood_atmosphere": "Cheerful summer day",
            "patterns": "Repeating trees",
        },
        "cinematography": {"camera_motion": "Steady forward", "framing": "Wide shot", "focus": "Sharp"},
        "style_medium": "Live-action video",
        "context": "Dashcam footage of an afternoon drive",
        "actions": [
            {
                "time": "0:00-0:02",
                "description": "The sedan rolls through bright sunlight and passes the cafe.",
            },
            {
                "time": "0:02-0:04",
                "description": "Both pedestrians keep walking; the camera follows the sedan.",
            },
        ],
        "text_and_signage_elements": [
            {
                "text": "SUNNY DAY CAFE",
                "category": "shop_sign",
                "appearance": "Bright yellow letters in the sun",
            }
        ],
        "segments": [
            {
                "segment_index": 0,
                "time_range": "0:00-0:04",
                "description": "A daytime drive behind the sedan in bright daylight",
                "key_changes": "The sedan brakes",
            }
        ],
        "transitions": [],
        "temporal_caption": (
            "On a sunny afternoon the camera follows a silver sedan along a dry avenue. Two pedestrians walk on "
            "the right in the daylight. The sedan brakes at the crossing."
        ),
        "audio_description": "Tires on dry asphalt, birds",
        "resolution": {"W": 1280, "H": 720},
        "aspect_ratio": "16,9",
        "duration": "4s",
        "fps": 30,
    }
)
"""A bright afternoon, said in every field."""

WET_NIGHT = Caption.model_validate(
    {
        "subjects": [
            {
                "description": "A black van with its headlights on approaching in the left lane",
                "appearance_details": "Wet paint, glowing headlights, raindrops on the windscreen",
                "number_of_subjects": 1,
            }
        ],
        "background_setting": (
            "A city street on a rainy night. The wet asphalt mirrors the neon signs, and puddles line the curb. "
            "Rain falls steadily while a tram waits at its stop. Street lamps lit in warm tones line the road."
        ),
        "lighting": {"conditions": "Night", "shadows": "Deep"},
        "temporal_caption": "At night the van drives past the tram in heavy rain. The tram stays at its stop.",
        "actions": [{"time": "0:00-0:03", "description": "The van passes through puddles."}],
    }
)
"""A rainy night, said in every field."""
