"""The OpenAI client, unmodified, against `/v1/videos`."""

from pathlib import Path

import pytest

from tests.situations_http import Running, running

openai = pytest.importorskip("openai")
pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning")


@pytest.fixture
def client(service: Running) -> "openai.OpenAI":
    return openai.OpenAI(base_url=f"{service.url}/v1", api_key="not asked for", max_retries=2)


def test_create_poll_download_list_delete(
    client: "openai.OpenAI", service: Running, clip: Path, tmp_path: Path
) -> None:
    video = client.videos.create_and_poll(
        prompt="fog 80 m", input_reference=clip, model="fake", seconds="4", size="1280x720"
    )
    # The fake makes no fog, so the critic does not accept it: failed, with a code, and HTTP 200.
    assert video.status == "failed"
    assert video.error is not None
    assert video.error.code in ("rejected", "review", "inconclusive")
    assert video.size == "160x90"
    assert float(video.seconds) == pytest.approx(0.8)
    assert video.object == "video"
    assert video.progress == 100
    assert video.created_at <= video.completed_at
    with pytest.raises(openai.NotFoundError) as refused:
        client.videos.download_content(video.id)
    assert refused.value.code == "service.not_found"

    dark = client.videos.create(
        prompt="dark",
        input_reference=clip,
        extra_body={"spec": {"exposure_stops": "-0.4"}, "tags": ["a", "b"], "seed": 4},
    )
    dark = client.videos.poll(dark.id)
    if dark.status == "completed":
        content = client.videos.download_content(dark.id)
        content.write_to_file(tmp_path / "out.mp4")
        assert (tmp_path / "out.mp4").read_bytes()[4:8] == b"ftyp"
        assert client.videos.download_content(dark.id, variant="thumbnail").read()[:2] == b"\xff\xd8"

    listed = list(client.videos.list(limit=1))
    assert {video.id, dark.id} <= {v.id for v in listed}, "the client pages by the last id"
    assert [v.id for v in client.videos.list(order="asc")] == [v.id for v in reversed(listed)]
    gone = client.videos.delete(video.id)
    assert gone.deleted
    assert gone.object == "video.deleted"
    with pytest.raises(openai.NotFoundError):
        client.videos.retrieve(video.id)


def test_a_retry_without_a_key_is_the_same_video(client: "openai.OpenAI", clip: Path) -> None:
    made = [client.videos.create(prompt="night", input_reference=clip) for _ in range(2)]
    assert made[0].id == made[1].id
    keyed = client.videos.create(prompt="night", input_reference=clip, extra_headers={"Idempotency-Key": "k"})
    assert keyed.id != made[0].id


def test_references_and_parameters_in_their_shapes(
    client: "openai.OpenAI", service: Running, clip: Path
) -> None:
    address = service.upload(clip)
    by_url = client.videos.create(prompt="snow", extra_body={"input_reference": {"file_id": address}})
    by_json = client.videos.create(
        prompt="snow",
        extra_body={"video_reference": f'{{"video_url": "{address}"}}', "extra_params": '{"seed": 0}'},
    )
    assert by_url.id == by_json.id
    raw = client.videos.with_raw_response.retrieve(by_url.id)
    assert raw.headers["openai-poll-after-ms"] == "1000"


@pytest.mark.parametrize(
    ("fields", "code", "param"),
    [
        ({"prompt": "frogs"}, "spec.unknown_word", None),
        ({"prompt": "fog", "model": "sora-2"}, "contract.unknown_model", "model"),
        ({"prompt": "fog", "extra_body": {"seed": "-1"}}, "service.invalid", "seed"),
        (
            {"prompt": "fog", "extra_body": {"spec": {"rain_mm_h": "many"}}},
            "service.invalid",
            "spec.rain_mm_h",
        ),
    ],
)
def test_errors_have_the_clients_shape(
    client: "openai.OpenAI", clip: Path, fields: dict, code: str, param: str | None
) -> None:
    with pytest.raises(openai.APIStatusError) as refused:
        client.videos.create(input_reference=clip, **fields)
    assert 400 <= refused.value.status_code < 500
    assert (refused.value.code, refused.value.param) == (code, param)


def test_sync_answers_the_file_or_says_where_it_will_be(clip: Path, tmp_path: Path) -> None:
    slow = {"steps": 100, "chunks": 1, "step_seconds": 0.2}
    with running(tmp_path / "runs", parameters=slow, http={"sync_seconds": 0.5}) as service:
        fields = {"prompt": "fog", "source": service.upload(clip)}
        late = service.http.post("/v1/videos/sync", data=fields)
        assert late.status_code == 504
        assert late.json()["error"]["code"] == "service.timeout"
        where = late.headers["location"]
        assert service.http.get(where).json()["status"] in ("queued", "in_progress")
        stopped = service.http.delete(where)
        assert stopped.status_code == 200
        assert stopped.json()["deleted"]
    with running(tmp_path / "other") as service:
        fields = {"prompt": "fog", "source": service.upload(clip)}
        refused = service.http.post("/v1/videos/sync", data=fields)
        assert refused.status_code == 422
        assert refused.json()["error"]["code"] in (
            "rejected",
            "review",
            "inconclusive",
        )
