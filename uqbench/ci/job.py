"""What a CI service says of its job, in the variables of GitHub and of GitLab."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class CiJob:
    """commit, ref: what was checked out. url: the page of the job. Empty where there is no service."""

    commit: str = ""
    ref: str = ""
    url: str = ""


def ci_job(environment: Mapping[str, str]) -> CiJob:
    """The job that this process is part of.

    >>> ci_job({"CI_COMMIT_SHA": "4f2a", "CI_COMMIT_REF_NAME": "main", "CI_JOB_URL": "https://gitlab.com/job"})
    CiJob(commit='4f2a', ref='main', url='https://gitlab.com/job')
    """
    if "GITHUB_SHA" in environment:
        parts = [environment.get(f"GITHUB_{name}", "") for name in ("SERVER_URL", "REPOSITORY", "RUN_ID")]
        url = "{}/{}/actions/runs/{}".format(*parts) if all(parts) else ""
        return CiJob(environment["GITHUB_SHA"], environment.get("GITHUB_REF_NAME", ""), url)
    names = ("CI_COMMIT_SHA", "CI_COMMIT_REF_NAME", "CI_JOB_URL")
    return CiJob(*(environment.get(name, "") for name in names))
