"""The state of a service's containers, weighed against what a check asks for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bot.runbook.weigh import Weighed

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from bot.evidence.containers import Container
    from bot.runbook.document import Containers


def weigh_state(asked: Containers, service: str, containers: Sequence[Container]) -> Weighed:
    """Whether every container of the service is as asked; one that is not there is "absent" and nothing else."""
    if asked.state == "absent" or not containers:
        right = asked.state == "absent" and not containers
        told = ", ".join(f"{c.name} is {c.state}" for c in containers)
        return Weighed("matched" if right else "not-matched", told or f"{service} has no container")
    wrong = [c for c in containers if not _is(c, asked.state)]
    told = ", ".join(f"{c.name} is {c.state}{f' and {c.health}' if c.health else ''}" for c in wrong or containers)
    lacks = asked.state == "healthy" and any(not c.health for c in wrong)
    return Weighed("not-matched" if wrong else "matched", f"{told}{', and has no health check' if lacks else ''}")


def no_container(service: str, project: str, services: Iterable[str]) -> str:
    """What to say of a service without a container."""
    return f"the service {service} has no container in the compose project {project}; services here: {', '.join(sorted(services))}"


def _is(container: Container, state: str) -> bool:
    match state:
        case "healthy":
            return container.health == "healthy" and container.state == "running"
        case "exited":
            return container.state in {"exited", "dead"}
    return container.state == state
