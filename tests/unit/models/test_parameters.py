"""Parameters of a model: named, typed, part of a variant's identity."""

import pytest

from worldgen.datatypes import Spec
from worldgen.errors import ContractError
from worldgen.models.build import build_model, profile_of
from worldgen.planning import RetryPolicy, variant_id_of


def test_text_is_read_as_the_type_of_the_parameter() -> None:
    profile = profile_of("fake", {"steps": "7", "step_seconds": "0.5"})
    assert profile.parameters == {"steps": 7, "chunks": 2, "step_seconds": 0.5}
    assert profile_of("physics", {"preset": "medium"}).parameters["preset"] == "medium"
    assert profile_of("fake").parameters["steps"] == 4, "the model's own were changed"


@pytest.mark.parametrize("given", [{"steps": "4.5"}, {"steps": "many"}, {"step_seconds": "soon"}])
def test_a_value_of_another_type_is_refused_by_name(given: dict[str, str]) -> None:
    with pytest.raises(ContractError, match=next(iter(given))) as refused:
        profile_of("fake", given)
    assert refused.value.code == "contract.parameters"


def test_an_unknown_name_lists_those_there_are() -> None:
    with pytest.raises(ContractError, match=r"no parameter stepps; it has: steps=4, chunks=2"):
        profile_of("fake", {"stepps": 3})


@pytest.mark.parametrize("name", ["prompt_style", "dtype", "offload", "guardrail"])
def test_a_word_that_a_parameter_does_not_take_is_refused_with_those_it_takes(name: str) -> None:
    words = profile_of("cosmos3-nano").choices[name]
    with pytest.raises(ContractError, match=f"{name}=loud: cosmos3-nano takes {', '.join(words)}") as refused:
        profile_of("cosmos3-nano", {name: "loud"})
    assert refused.value.code == "contract.parameters"
    assert profile_of("cosmos3-nano", {name: words[-1]}).parameters[name] == words[-1]


def test_the_prompt_style_is_the_model_s_and_part_of_its_variants_names() -> None:
    own, plain = profile_of("cosmos3-nano"), profile_of("cosmos3-nano", {"prompt_style": "plain"})
    assert (own.prompt_style, plain.prompt_style) == ("structured", "plain")
    names = {
        variant_id_of("s", "r", Spec(name="fog", seed=1), profile, policy=RetryPolicy(), critic="c")
        for profile in (own, plain)
    }
    assert len(names) == 2


def test_a_model_s_own_word_must_be_one_that_it_takes() -> None:
    own = profile_of("cosmos3-nano")
    with pytest.raises(ValueError, match="prompt_style=verse is none of plain, structured"):
        type(own).model_validate(
            own.model_dump() | {"parameters": own.parameters | {"prompt_style": "verse"}}
        )


def test_parameters_reach_the_model_and_its_variants_names(tmp_path) -> None:
    from worldgen.media.scratch import Scratch

    model = build_model("fake", Scratch(tmp_path), {"steps": 9})
    assert model.profile.parameters["steps"] == 9
    names = {
        variant_id_of("s", "r", Spec(name="fog", seed=1), profile, policy=RetryPolicy(), critic="c")
        for profile in (model.profile, profile_of("fake"))
    }
    assert len(names) == 2
