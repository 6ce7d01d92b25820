"""A GitLab's answers as its documentation has them (docs.gitlab.com/api): what anybody reads of them, and more."""

from datetime import UTC, datetime
from typing import Any

from tests.forges.gitlab.state import MergeRequest, Milestone, Note, Project, User

Json = dict[str, Any]


def moment(value: datetime) -> str:
    return value.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def user(value: User) -> Json:
    return {
        "id": value.id,
        "username": value.username,
        "name": value.username.title(),
        "state": "blocked" if value.blocked else "active",
        "locked": False,
        "avatar_url": None,
        "web_url": f"https://gitlab.example.com/{value.username}",
    }


def member(value: User, level: int) -> Json:
    return {**user(value), "access_level": level, "expires_at": None, "membership_state": "active"}


def project(value: Project, site: str) -> Json:
    page = f"{site}/{value.path}"
    return {
        "id": value.id,
        "name": value.path.rpartition("/")[2],
        "path": value.path.rpartition("/")[2],
        "path_with_namespace": value.path,
        "default_branch": "main",
        "visibility": "public" if value.public else "private",
        "archived": value.archived,
        "http_url_to_repo": f"{page}.git",
        "ssh_url_to_repo": f"git@gitlab.example.com:{value.path}.git",
        "web_url": page,
        "remove_source_branch_after_merge": value.removes_source_branches,
        "merge_requests_enabled": True,
    }


def milestone(value: Milestone, owner: Project) -> Json:
    return {
        "id": value.id,
        "iid": owner.milestones.index(value) + 1,
        "project_id": owner.id,
        "title": value.title,
        "description": "",
        "state": "active" if value.active else "closed",
        "due_date": None,
        "start_date": None,
    }


def merge_request(value: MergeRequest, owner: Project, site: str) -> Json:
    draft = value.title.lower().startswith(("draft:", "[draft]", "(draft)"))
    ended = moment(value.updated)
    return {
        "id": value.id,
        "iid": value.iid,
        "project_id": owner.id,
        "title": value.title,
        "description": value.description or None,
        "state": value.state,
        "created_at": moment(value.created),
        "updated_at": moment(value.updated),
        "merged_at": ended if value.state == "merged" else None,
        "closed_at": ended if value.state == "closed" else None,
        "source_branch": value.source_branch,
        "target_branch": value.target_branch,
        "source_project_id": value.source_project,
        "target_project_id": owner.id,
        "author": user(value.author),
        "assignee": user(value.assignees[0]) if value.assignees else None,
        "assignees": [user(each) for each in value.assignees],
        "reviewers": [user(each) for each in value.reviewers],
        "labels": sorted(value.labels),
        "milestone": milestone(value.milestone, owner) if value.milestone else None,
        "draft": draft,
        "work_in_progress": draft,
        "sha": value.sha or None,
        "merge_commit_sha": None,
        "merge_status": "can_be_merged",
        "detailed_merge_status": "draft_status" if draft else "mergeable",
        "force_remove_source_branch": value.remove_source_branch,
        "should_remove_source_branch": None,
        "user_notes_count": sum(not each.system for each in value.notes),
        "has_conflicts": False,
        "references": {"short": f"!{value.iid}", "relative": f"!{value.iid}", "full": f"{owner.path}!{value.iid}"},
        "web_url": f"{site}/{owner.path}/-/merge_requests/{value.iid}",
    }


def note(value: Note, request: MergeRequest) -> Json:
    return {
        "id": value.id,
        "type": value.type,
        "body": value.body,
        "author": user(value.author),
        "created_at": moment(value.created),
        "updated_at": moment(value.updated),
        "system": value.system,
        "noteable_id": request.id,
        "noteable_type": "MergeRequest",
        "noteable_iid": request.iid,
        "resolvable": False,
        "internal": False,
    }


def award(name: str, giver: User, number: int) -> Json:
    return {"id": number, "name": name, "user": user(giver), "awardable_type": "Note"}


def comparison(hashes: list[str]) -> Json:
    commits = [{"id": each, "short_id": each[:8], "title": "a commit"} for each in hashes]
    return {
        "commit": commits[-1] if commits else None,
        "commits": commits,
        "diffs": [],
        "compare_timeout": False,
        "compare_same_ref": not commits,
    }
