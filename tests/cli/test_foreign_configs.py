"""Configurations from elsewhere hold values: no objects, no tags, no aliases, nothing huge."""

import pytest

from dfplan.cli.foreign_configs import MAX_BYTES, check_config_folders
from dfplan.cli.main import main
from dfplan.errors import UserError


def test_plain_values_pass(tmp_path):
    (tmp_path / "planner").mkdir()
    (tmp_path / "planner" / "mine.yaml").write_text("num_levels: 3\nslope: 1.5\nlist: [1, 2]\nname: '&x *y'\n")
    check_config_folders(["--config-dir", str(tmp_path)])
    check_config_folders([f"--config-dir={tmp_path}"])
    check_config_folders(["planner=default"])


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("_target_: os.system\n", "names a Python object"),
        ("deep: [{a: {_target_: x}}]\n", "names a Python object"),
        ("a: !!python/object/apply:os.system [ls]\n", "carries the tag tag:yaml.org,2002:python/object"),
        ("a: &a 1\nb: *a\n", r"uses the alias \*a"),
        ("a: [\n", "not readable as YAML"),
        ("[" * 5000, "nested more than 50 deep"),
        ("a: " + "x" * MAX_BYTES, "no regular file of at most"),
    ],
)
@pytest.mark.parametrize("name", ["evil.yaml", "evil.yml"])
def test_anything_else_is_refused_with_the_file_named(tmp_path, text, said, name):
    (tmp_path / "planner").mkdir()
    (tmp_path / "planner" / name).write_text(text)
    with pytest.raises(UserError, match=said) as caught:
        check_config_folders(["--config-dir", str(tmp_path), "planner=evil"])
    assert name in str(caught.value)


def test_the_command_line_checks_before_hydra_reads(tmp_path, capsys):
    (tmp_path / "planner").mkdir()
    (tmp_path / "planner" / "evil.yaml").write_text("a: !!python/name:os.system\n")
    assert main(["eval", "n_episodes=1", "--config-dir", str(tmp_path), "planner=evil"]) == 2
    captured = capsys.readouterr().err
    assert captured.count("\n") == 1
    assert "evil.yaml: carries the tag" in captured
