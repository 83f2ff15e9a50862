"""Why a sync failed, in words for the person who connected the repository. Nothing here is worth a second delivery:
the cause is written to the repository and the next check tries again."""


class SyncFailed(Exception):
    """A sync that ended without a result. `code` is stable, `cause` says what happened and what to do.

    A `transient` one is tried again at once, a few times.
    """

    def __init__(self, code: str, cause: str, *, transient: bool = False) -> None:
        super().__init__(cause)
        self.code = code
        self.cause = cause
        self.transient = transient


def not_found(url: str) -> SyncFailed:
    return SyncFailed(
        "repository_not_found",
        f"{url} does not exist, or the access token may not see it. Check the address; a private repository needs a "
        "token with read access to its contents.",
    )


def access_denied(url: str, *, with_token: bool) -> SyncFailed:
    if with_token:
        return SyncFailed("access_denied", f"{url} refused the access token: it may have expired or been revoked.")
    return SyncFailed("access_denied", f"{url} does not exist, or is private and needs an access token.")


def not_a_repository(url: str) -> SyncFailed:
    return SyncFailed("not_a_git_repository", f"{url} answers, but not as a git repository over smart HTTP.")


def unreachable(host: str, *, reason: str = "it does not answer") -> SyncFailed:
    return SyncFailed("host_unreachable", f"The host {host} cannot be reached: {reason}.", transient=True)


def refused_host(host: str) -> SyncFailed:
    return SyncFailed("host_refused", f"The host {host} leads to a private or reserved address; it is not synced.")


def timed_out(host: str) -> SyncFailed:
    return SyncFailed("timed_out", f"The host {host} took too long to answer.", transient=True)


def too_large(what: str, limit: str) -> SyncFailed:
    return SyncFailed("too_large", f"{what} is larger than {limit}, the most that is synced.")


def tls_failed(host: str) -> SyncFailed:
    return SyncFailed("tls_failed", f"The certificate of {host} is not valid, or there is no TLS at all.")


def redirected(url: str, target: str) -> SyncFailed:
    return SyncFailed("redirected", f"{url} moved to {target}. Connect the repository by its new address.")


def host_error(host: str, status: int) -> SyncFailed:
    busy = status == 429 or status >= 500
    return SyncFailed("host_error", f"The host {host} answered with the HTTP status {status}.", transient=busy)


def protocol_error(host: str) -> SyncFailed:
    return SyncFailed("protocol_error", f"The host {host} broke the git protocol or the connection.", transient=True)


def branch_not_found(wanted: str, existing: list[str]) -> SyncFailed:
    shown = ", ".join(existing[:10]) + (f" and {len(existing) - 10} more" if len(existing) > 10 else "")
    return SyncFailed("branch_not_found", f"No branch matches '{wanted}'. The repository has: {shown}.")


def over_quota(cause: str) -> SyncFailed:
    return SyncFailed("quota_exceeded", cause)


def incomplete() -> SyncFailed:
    return SyncFailed("corrupt_pack", "The host sent objects that are damaged or incomplete.")


def unsupported_objects() -> SyncFailed:
    cause = "The repository names its objects by SHA-256, which is not supported: only SHA-1 repositories are synced."
    return SyncFailed("unsupported_object_format", cause)


def unfinished(times: int) -> SyncFailed:
    cause = f"The sync was cut off {times} times in a row: the repository is probably too large for one worker."
    return SyncFailed("unfinished", cause)
