"""``motioncopy completion``: what a shell offers once it has read the script."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from benchmarks.bench.config_stack import ablations, data_sets, methods
from benchmarks.cli import main
from benchmarks.setup.completion import SHELLS

_TRY = """\
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 )); COMP_LINE="$*"; COMP_POINT=${#COMP_LINE}
complete=$(complete -p motioncopy | sed 's/.*-F \\([^ ]*\\).*/\\1/')
$complete motioncopy "${COMP_WORDS[COMP_CWORD]}" "${COMP_WORDS[COMP_CWORD-1]}"
printf '%s\\n' "${COMPREPLY[@]}"
"""


@pytest.fixture(scope="module")
def script(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("completion") / "motioncopy.bash"
    with pytest.MonkeyPatch.context() as changed, path.open("w") as file:
        changed.setattr("sys.stdout", file)
        assert main(["completion", "bash"]) == 0
    return path


def offered(script: Path, *words: str) -> list[str]:
    command = ["bash", "-c", _TRY, "bash", str(script), "motioncopy", *words]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.split()


def test_bash_completes_commands_options_and_names(script: Path) -> None:
    assert offered(script, "be") == ["bench"]
    assert {"fit", "records", "completion"} <= set(offered(script, ""))
    assert offered(script, "bench", "--method", "") == methods()
    assert offered(script, "bench", "--data", "") == data_sets()
    assert offered(script, "bench", "--preset", "q") == ["quick"]
    assert set(ablations("remot")) <= set(offered(script, "bench", "--ablation", ""))
    assert offered(script, "records", "list", "--st") == ["--status"]
    assert offered(script, "records", "list", "--status", "f") == ["finished", "failed"]
    assert "puppets" in offered(script, "protocol", "show", "")
    assert "iper" in offered(script, "sample", "")


def test_bash_completes_folders_and_files(script: Path, tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    (tmp_path / "view.mp4").touch()
    assert offered(script, "bench", "--runs", f"{tmp_path}/v") == [f"{tmp_path}/videos"]
    assert offered(script, "check", f"{tmp_path}/vie") == [f"{tmp_path}/view.mp4"]


@pytest.mark.parametrize("shell", SHELLS)
def test_every_script_names_the_commands_and_is_sound(
    shell: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert main(["completion", shell]) == 0
    said = capsys.readouterr().out
    for word in ("bench", "records", "fakemotion", "puppets", "quick"):
        assert word in said
    if (found := shutil.which(shell)) is None:
        return  # its syntax cannot be checked here
    (tmp_path / "script").write_text(said)
    subprocess.run([found, "-n", str(tmp_path / "script")], check=True)


def test_another_shell_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "cmd"]) == 2
    assert "bash" in capsys.readouterr().err
