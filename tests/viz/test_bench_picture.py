"""The picture of a comparison."""

from dfplan.viz.bench import draw_bench


def test_agents_with_and_without_plans_are_drawn(tmp_path):
    def agent(name: str, p50: float | None) -> dict:
        seconds = {"p50": p50, "p95": None if p50 is None else 2 * p50}
        cost = {"plan_seconds": seconds, "plan_samples": [] if p50 is None else [p50, 2 * p50]}
        metric = {"mean": 100.0, "low": None, "high": None}
        return {
            "name": name,
            "metrics": {"normalized_return": metric},
            "cost": {"1": cost, "32": cost},
            "scores": [99.0, 101.0],
        }

    record = {"env": "maze2d-umaze", "goal": "fixed", "n_episodes": 2, "device": "cpu", "threads": 1}
    path = draw_bench(record | {"agents": [agent("planner", 0.05), agent("oracle", None)]}, path=tmp_path / "a.png")
    assert path.read_bytes().startswith(b"\x89PNG")
