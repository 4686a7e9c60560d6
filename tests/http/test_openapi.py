"""The OpenAPI document, and what a fuzzer makes of it: whatever is sent, no 5xx."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable

from tests.situations_http import Running, running

schemathesis = pytest.importorskip("schemathesis")


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Running]:
    """Jobs wait, and streams end soon: the fuzzer reads whole bodies."""
    http = {"heartbeat_seconds": 0.2, "idle_seconds": 2.0, "sync_seconds": 0.2}
    with running(tmp_path_factory.mktemp("fuzzed") / "runs", works=False, http=http) as found:
        yield found


CHECKS = [
    schemathesis.checks.not_a_server_error,
    schemathesis.checks.status_code_conformance,
    schemathesis.checks.content_type_conformance,
    schemathesis.checks.response_schema_conformance,
]


@pytest.mark.parametrize("mode", ["POSITIVE", "NEGATIVE"])
def test_no_request_breaks_it(fuzzed: Running, mode: str) -> None:
    document = fuzzed.http.get("/openapi.json").json()
    tried = 0
    for found in schemathesis.openapi.from_dict(document).get_all_operations():
        operation = found.ok()
        if operation.path == "/readyz":
            continue  # Where nothing works on jobs, 503 is its answer.
        strategy = operation.as_strategy(generation_mode=schemathesis.GenerationMode[mode])

        @settings(max_examples=8, deadline=None, database=None, suppress_health_check=list(HealthCheck))
        @given(case=strategy)
        def ask(case: "schemathesis.Case") -> None:
            case.validate_response(case.call(base_url=fuzzed.url, timeout=20), checks=CHECKS)

        try:
            ask()
        except Unsatisfiable:
            continue  # Nothing about this operation can be wrong.
        tried += 1
    assert tried >= 10


def test_the_document_has_examples_and_every_route(fuzzed: Running, clip: Path) -> None:
    document = fuzzed.http.get("/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path in (
        "/v1/jobs", "/v1/jobs/{job_id}", "/v1/jobs/{job_id}/cancel", "/v1/jobs/{job_id}/events", "/v1/variants",
        "/v1/variants/{variant_id}", "/v1/variants/{variant_id}/files/{name}", "/v1/variants/{variant_id}/audit",
        "/v1/blobs/{sha256}", "/v1/blobs/check", "/v1/batches", "/v1/batches/{batch_id}",
        "/v1/batches/{batch_id}/cancel", "/v1/models", "/v1/videos", "/v1/videos/sync",
        "/v1/videos/{video_id}", "/v1/videos/{video_id}/content", "/healthz", "/readyz", "/metrics",
    ):  # fmt: skip
        assert path in document["paths"], path
    body = document["paths"]["/v1/jobs"]["post"]["requestBody"]["content"]["application/json"]
    address = fuzzed.upload(clip)
    example = body["examples"]["words"]["value"] | {"source": address}
    assert fuzzed.submit(example).status_code == 202, "the example is one"
