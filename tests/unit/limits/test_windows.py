"""What the arithmetic of a rate limit promises, whatever the calls and the times."""

from hypothesis import given
from hypothesis import strategies as st

from almanac.limits.windows import Bucket, Policy, forgettable

POLICY = Policy("tenant", burst=10, window=1_000)
BUCKET = Bucket("tenant", POLICY)
START = 1_767_225_600_000


def spend(item: dict[str, int], bucket: Bucket, at: int) -> bool:
    """Count a call as the table would, and judge it as the limiter does."""
    level = bucket.level(item, at)
    if level.wait(at):
        return False
    item[bucket.counter(at)] = level.current + 1
    return True


def test_a_full_bucket_gives_its_burst_at_once_and_no_more() -> None:
    item: dict[str, int] = {}
    assert [spend(item, BUCKET, START) for _ in range(12)] == [True] * 10 + [False] * 2


def test_a_bucket_refills_a_call_at_a_time_in_the_window_that_follows() -> None:
    item = {BUCKET.counter(START): 10}
    level = BUCKET.level(item, START + 1_000)
    assert level.wait(START + 1_000) == 100
    assert spend(item, BUCKET, START + 1_100)
    assert not spend(item, BUCKET, START + 1_150)


def test_a_rate_of_zero_is_no_limit() -> None:
    assert Policy.per_minute("tenant", 0, 10) is None


def test_a_policy_refills_its_burst_at_its_rate() -> None:
    assert Policy.per_minute("tenant", 600, 100) == Policy("tenant", 100, 10_000)


@st.composite
def policies(draw: st.DrawFn) -> Policy:
    return Policy("tenant", draw(st.integers(1, 20)), draw(st.integers(1, 5_000)))


@given(policy=policies(), gaps=st.lists(st.integers(0, 3_000), min_size=1, max_size=150))
def test_no_span_of_time_admits_more_than_the_bucket_and_one_burst(policy: Policy, gaps: list[int]) -> None:
    bucket, item, at = Bucket("tenant", policy), dict[str, int](), START
    admitted: list[int] = []
    for gap in gaps:
        at += gap
        if spend(item, bucket, at):
            admitted.append(at)
    for first, began in enumerate(admitted):
        for last in range(first, len(admitted)):
            refilled = policy.burst * (admitted[last] - began) / policy.window
            assert last - first + 1 <= policy.burst + refilled + policy.burst


@given(
    policy=policies(),
    current=st.integers(0, 20),
    before=st.integers(0, 20),
    within=st.integers(0, 4_999),
)
def test_who_comes_again_when_told_to_is_admitted_and_not_a_millisecond_earlier(
    policy: Policy, current: int, before: int, within: int
) -> None:
    bucket = Bucket("tenant", policy)
    began = bucket.began(START)
    at = began + within % policy.window
    item = {bucket.counter(at): min(current, policy.burst), bucket.counter(began - 1): min(before, policy.burst)}
    wait = bucket.level(item, at).wait(at)
    assert bucket.level(item, at + wait).wait(at + wait) == 0
    if wait > 1:
        assert bucket.level(item, at + wait - 1).wait(at + wait - 1) > 0


@given(policy=policies(), count=st.integers(0, 20), within=st.integers(0, 4_999))
def test_a_bucket_is_full_when_it_says_so(policy: Policy, count: int, within: int) -> None:
    bucket = Bucket("tenant", policy)
    at = bucket.began(START) + within % policy.window
    item = {bucket.counter(at): min(count, policy.burst)}
    full = at + bucket.level(item, at).full(at)
    assert bucket.level(item, full).left(full) == policy.burst


def test_only_counters_of_old_windows_are_forgotten() -> None:
    item = {"pk": "x", "tenant_rate": 5, "revision": 1, "tenant_0000000001000": 3, "usr_1_1767225600000": 1}
    assert forgettable(item, START, 10) == ["tenant_0000000001000"]
    assert forgettable({f"a_{n:013d}": 1 for n in range(20)}, START, 10) == [f"a_{n:013d}" for n in range(10)]
