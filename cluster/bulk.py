"""Bulk augmentation as a Ray job: `python -m cluster.bulk --manifest clips.jsonl --out out/`.

Sources are distributed to runner actors; each runs the spine against shared generator and critic actors.
Running the same command again after any kill makes only what is missing: the catalogue is the ledger.
"""

import argparse
import json
import os
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from cluster.manifest import ManifestLine, read_manifest
from cluster.workers import Runner
from worldgen.assembly import Worker, write_results_page
from worldgen.errors import WorldgenError
from worldgen.models.build import profile_of
from worldgen.models.parameters import read_parameters


def run_bulk(
    lines: tuple[ManifestLine, ...],
    out: Path,
    *,
    model: str = "physics",
    parameters: Mapping[str, float | int | str | bool] | None = None,
    runners: int = 2,
    quiet: bool = False,
) -> dict[str, int]:
    """Run all lines and return counts per outcome.

    Joins the cluster that RAY_ADDRESS names (as inside a Ray job); else starts a local one and stops it.
    """
    os.environ.setdefault("RAY_AUTH_MODE", "disabled")
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if "RAY_ADDRESS" in os.environ:
        ray.init(log_to_driver=False)
    else:
        ray.init(
            include_dashboard=False,
            log_to_driver=False,
            num_cpus=max(4, os.cpu_count() or 1),
            object_store_memory=256 << 20,
        )
    counts: Counter[str] = Counter()
    try:
        with tempfile.TemporaryDirectory(prefix="worldgen-bulk-") as scratch:
            worker = ray.remote(num_cpus=1)(Worker)
            generator = worker.options(max_concurrency=8).remote(model, scratch, parameters)
            critic = worker.options(max_concurrency=8).remote(model, scratch, parameters)
            make_runner = ray.remote(num_cpus=0.1)(Runner)
            pool = ray.util.ActorPool(
                [
                    make_runner.remote(model, parameters, scratch, str(out), generator, critic)
                    for _ in range(runners)
                ]
            )
            started = time.monotonic()
            for done, found in enumerate(
                pool.map_unordered(lambda actor, line: actor.run.remote(line), list(lines)), start=1
            ):
                counts.update(found)
                if not quiet:
                    left = (time.monotonic() - started) / done * (len(lines) - done)
                    summary = ", ".join(f"{n} {k}" for k, n in sorted(counts.items()))
                    print(
                        f"{done}/{len(lines)} sources, {summary}, about {left:.0f} s left",
                        file=sys.stderr,
                        flush=True,
                    )
    finally:
        ray.shutdown()
    write_results_page(out)
    return dict(counts)


def main(arguments: list[str] | None = None) -> int:
    """Parse, run, print counts as JSON; exit codes as the command line's."""
    parser = argparse.ArgumentParser(prog="python -m cluster.bulk", description=__doc__)
    parser.add_argument(
        "--manifest", type=Path, required=True, help="JSON lines: {source, specs, labels?, seed?}"
    )
    parser.add_argument("--out", type=Path, required=True, help="folder of results")
    parser.add_argument("--model", default="physics", help="world model; see `worldgen models`")
    parser.add_argument(
        "--set", action="append", metavar="NAME=VALUE", help="a parameter of the model; repeatable"
    )
    parser.add_argument("--runners", type=int, default=2, help="sources in flight")
    given = parser.parse_args(arguments)
    try:
        parameters = read_parameters(given.set)
        profile_of(given.model, parameters)
        counts = run_bulk(
            read_manifest(given.manifest),
            given.out,
            model=given.model,
            parameters=parameters,
            runners=given.runners,
        )
    except WorldgenError as error:
        print(json.dumps({"error": {"code": error.code, "message": error.message, "hint": error.hint}}))
        return error.exit_code
    print(json.dumps({"counts": counts, "out": str(given.out)}))
    return 1 if any(key.startswith(("generate.", "extract.", "publish.")) for key in counts) else 0


if __name__ == "__main__":
    sys.exit(main())
