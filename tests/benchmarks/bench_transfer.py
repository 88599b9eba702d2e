"""Push and pull beside skopeo and oras on the same docker-registry, in the same run; and what a small one costs.

    python tests/benchmarks/bench_transfer.py [--mib 1024] [--rounds 3] [--python PYTHON] [--folder DIR]

Large: a module of random bytes. `push` is compared with `skopeo copy oci:... docker://...`, `pull` with the way back;
each push goes to a registry that was just started on an empty folder, and skopeo starts without its record of where
blobs were seen, so that nobody mounts what the other one pushed. oras (`go install oras.land/oras/cmd/oras@latest`)
pushes the same file to a repository of its own in the same registry, and pulls it. Rounds alternate, the best of each
counts. Memory is the peak of the process. Small: 3 MiB, the whole process against `python -c "import httpx"` by the
same interpreter.

`--python` names an interpreter that has wasm2oci installed; by default this one, with this checkout. A virtual
environment with nothing but the wheel in it is the fair one: development tools make `import httpx` slower.
"""

import argparse
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.docker_registry import docker_registry

MIB = 1 << 20
ROOT = Path(__file__).parents[2]


@dataclass
class Series:
    """Seconds, processor seconds and peak MiB of one thing that was run again and again."""

    seconds: list[float] = field(default_factory=list)
    busy: list[float] = field(default_factory=list)
    peak: float = 0

    @property
    def best(self) -> float:
        return min(self.seconds)

    @property
    def median(self) -> float:
        return statistics.median(self.seconds)


@dataclass
class Bench:
    """Where to work and by which interpreter."""

    folder: Path
    python: str
    series: dict[str, Series] = field(default_factory=dict)

    def environ(self) -> dict[str, str]:
        kept = {"PATH": os.environ["PATH"], "HOME": str(self.folder / "home"), "TMPDIR": str(self.folder)}
        if self.python == sys.executable:
            kept["PYTHONPATH"] = str(ROOT)
        return kept | {"XDG_CACHE_HOME": str(self.folder / "cache"), "XDG_RUNTIME_DIR": str(self.folder)}

    def run(self, name: str, command: Sequence[str]) -> None:
        """Run a command and write down what it took."""
        start = time.perf_counter()
        # From a folder that is no checkout: `python -m` would take the package from there and not the installed one.
        process = subprocess.Popen(
            command, cwd=self.folder, env=self.environ(), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        said = process.stderr.read()
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        process.stderr.close()
        seconds = time.perf_counter() - start
        if process.returncode:
            raise SystemExit(f"{name} ended with {process.returncode}: {said.decode(errors='replace')[-500:]}")
        series = self.series.setdefault(name, Series())
        series.seconds.append(seconds)
        series.busy.append(usage.ru_utime + usage.ru_stime)
        series.peak = max(series.peak, usage.ru_maxrss / 1024)

    def tool(self, *arguments: str) -> list[str]:
        return [self.python, "-m", "wasm2oci", *arguments]


def make(path: Path, size: int) -> None:
    """A file that begins as a module does and is random after that."""
    with path.open("wb") as file:
        file.write(b"\0asm\x01\0\0\0")
        for start in range(0, size, MIB):
            file.write(os.urandom(min(MIB, size - start)))


def forget(bench: Bench) -> None:
    """Take away skopeo's record of where blobs were seen, and our cache."""
    for path in (Path("/var/lib/containers/cache/blob-info-cache-v1.boltdb"), bench.folder / "home" / ".local"):
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
    shutil.rmtree(bench.folder / "cache", ignore_errors=True)


def large(bench: Bench, mib: int, rounds: int) -> None:
    module, out, layout = bench.folder / "big.wasm", bench.folder / "out.wasm", bench.folder / "layout"
    make(module, mib * MIB)
    with_skopeo, with_oras = shutil.which("skopeo") is not None, shutil.which("oras") is not None
    for round_number in range(rounds):
        with docker_registry(bench.folder / f"a{round_number}") as registry:
            reference = f"{registry.host}/bench/big:1"
            forget(bench)
            bench.run("push", bench.tool("push", "-q", str(module), reference))
            bench.run("pull", bench.tool("pull", "-q", reference, "-o", str(out)))
            same = subprocess.run(["cmp", module, out], check=False).returncode == 0
            out.unlink()
            if not same:
                raise SystemExit("what came back is not what was pushed")
            if with_oras:
                place = ["--plain-http", f"{registry.host}/bench/oras:1"]
                bench.run("oras push", ["oras", "push", "--artifact-type", "a/b", *place, "big.wasm:application/wasm"])
                bench.run("oras pull", ["oras", "pull", *place, "-o", str(bench.folder / "oras")])
                shutil.rmtree(bench.folder / "oras")
            if with_skopeo:
                shutil.rmtree(layout, ignore_errors=True)
                source = ["--src-tls-verify=false", f"docker://{reference}"]
                bench.run("skopeo pull", ["skopeo", "copy", "-q", *source, f"oci:{layout}:1"])
        shutil.rmtree(bench.folder / f"a{round_number}")
        if with_skopeo:
            with docker_registry(bench.folder / f"b{round_number}") as registry:
                forget(bench)
                there = ["--dest-tls-verify=false", f"oci:{layout}:1", f"docker://{registry.host}/bench/big:1"]
                bench.run("skopeo push", ["skopeo", "copy", "-q", *there])
            shutil.rmtree(bench.folder / f"b{round_number}")
    for name in ("push", "pull"):
        ours = bench.series[name]
        print(f"{mib} MiB {name}: {ours.best:6.2f} s  {mib / ours.best:5.0f} MiB/s  peak {ours.peak:4.0f} MiB")
        for tool in ("skopeo", "oras"):
            theirs = bench.series.get(f"{tool} {name}")
            if theirs is not None:
                busy = min(ours.busy) / min(theirs.busy)
                print(
                    f"  {tool:6} {theirs.best:6.2f} s  peak {theirs.peak:4.0f} MiB"
                    f"  ratio {ours.best / theirs.best:.2f} (processor {busy:.2f})"
                )


def small(bench: Bench, rounds: int) -> None:
    module, out = bench.folder / "small.wasm", bench.folder / "small-out.wasm"
    with docker_registry(bench.folder / "small") as registry:
        for _ in range(rounds):
            make(module, 3 * MIB)
            forget(bench)
            bench.run("import httpx", [bench.python, "-c", "import httpx"])
            bench.run("push 3 MiB", bench.tool("push", "-q", str(module), f"{registry.host}/bench/small:1"))
            bench.run("pull 3 MiB", bench.tool("pull", "-q", f"{registry.host}/bench/small:1", "-o", str(out)))
            bench.run("--version", bench.tool("--version"))
    base = bench.series["import httpx"]
    for name in ("import httpx", "push 3 MiB", "pull 3 MiB", "--version"):
        series = bench.series[name]
        print(
            f"{name:13} {1000 * series.median:6.0f} ms  ratio {series.median / base.median:.2f}"
            f"  (best {1000 * series.best:.0f} ms, ratio {series.best / base.best:.2f})"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mib", type=int, default=1024, help="size of the large module; 0 for none")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--small-rounds", type=int, default=15)
    parser.add_argument("--python", default=sys.executable)
    parser.add_argument("--folder", type=Path, help="where to work; memory-backed is best")
    options = parser.parse_args()
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        bench = Bench(Path(folder), options.python)
        (bench.folder / "home").mkdir()
        if options.small_rounds:
            small(bench, options.small_rounds)
        if options.mib:
            large(bench, options.mib, options.rounds)


if __name__ == "__main__":
    main()
