"""Deploy the built template to MiniStack through CloudFormation.

It does what `sam deploy` does (upload the packages, run a change set) with the same template, in a fraction of the
time: packages are zipped once, and the change set is watched every tenth of a second.
"""

import hashlib
import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError

from infra.local import ministack
from infra.local.build import Build
from infra.local.errors import LocalError
from infra.local.layout import architecture, model_cache, python_runtime

if TYPE_CHECKING:
    from mypy_boto3_cloudformation import CloudFormationClient
    from mypy_boto3_lambda import LambdaClient
    from mypy_boto3_s3 import S3Client

STACK = "almanac-local"
ARTIFACTS = "almanac-local-artifacts"
DIGEST_TAG = "almanac:digest"
PATIENCE_SECONDS = 180.0


def client(service: str, port: int) -> Any:
    """Return a boto3 client of the local stack."""
    session = boto3.Session(
        aws_access_key_id=ministack.CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=ministack.CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        region_name=ministack.REGION,
    )
    config = Config(retries={"max_attempts": 1}, read_timeout=60, proxies={})
    return session.client(service, endpoint_url=ministack.endpoint(port), config=config)  # type: ignore[call-overload]


def port_of(endpoint_url: str) -> int:
    """Return the port of an address of the local stack."""
    return urlsplit(endpoint_url).port or 80


def deployed(port: int) -> tuple[str, dict[str, str]] | None:
    """Return the digest and the outputs of the stack that stands, or None when none stands whole."""
    stack = _describe(client("cloudformation", port))
    if stack is None or stack["StackStatus"] not in {"CREATE_COMPLETE", "UPDATE_COMPLETE"}:
        return None
    tags = {tag["Key"]: tag["Value"] for tag in stack.get("Tags", [])}
    outputs = {output["OutputKey"]: output["OutputValue"] for output in stack.get("Outputs", [])}
    return tags.get(DIGEST_TAG, ""), outputs


def digest_of(build_digest: str, public_url: str) -> str:
    """Return what identifies a deployment: what was built, and the address that it was told."""
    return hashlib.sha256(f"{build_digest} {public_url}".encode()).hexdigest()


def deploy(build: Build, port: int, public_url: str) -> dict[str, str]:
    """Bring the stack to the build and return its outputs; raises `LocalError` with the reason of the first failure."""
    cloudformation: CloudFormationClient = client("cloudformation", port)
    try:
        template_url = _upload(build, client("s3", port), port)
        _remove_failed(cloudformation)
        _run_change_set(cloudformation, build, template_url, port, public_url)
    except (BotoCoreError, ClientError) as error:
        raise LocalError(
            f"deploying failed: {error}", "'almanac down --clean' and 'almanac up' start from nothing."
        ) from error
    standing = deployed(port)
    if standing is None:
        raise LocalError(
            f"deploying failed:\n{failure_reasons(cloudformation)}",
            "Mend the cause in template.yaml, then run 'almanac up' again.",
        )
    return standing[1]


def reconcile(port: int, outputs: dict[str, str]) -> None:
    """Start the reconciler without waiting: what lay in a stream or a worker at the last stop is taken up again."""
    lambda_: LambdaClient = client("lambda", port)
    lambda_.invoke(FunctionName=outputs["ReconcilerFunction"], InvocationType="Event")


def _upload(build: Build, s3: "S3Client", port: int) -> str:
    """Upload packages that are not there yet and the template that names them; returns the template's address."""
    s3.create_bucket(Bucket=ARTIFACTS)
    present = {entry["Key"] for entry in s3.list_objects_v2(Bucket=ARTIFACTS).get("Contents", [])}
    for path in sorted(set(build.zips.values())):
        if path.name not in present:
            s3.upload_file(str(path), ARTIFACTS, path.name)
    for stale in present - {path.name for path in build.zips.values()}:
        s3.delete_object(Bucket=ARTIFACTS, Key=stale)
    document = json.loads(json.dumps(build.document))
    for name, path in build.zips.items():
        properties = document["Resources"][name]["Properties"]
        properties["CodeUri" if "CodeUri" in properties else "ContentUri"] = f"s3://{ARTIFACTS}/{path.name}"
    key = f"template-{build.digest[:24]}.json"
    s3.put_object(Bucket=ARTIFACTS, Key=key, Body=json.dumps(document).encode())
    return f"{ministack.endpoint(port)}/{ARTIFACTS}/{key}"


def _run_change_set(
    cloudformation: "CloudFormationClient", build: Build, template_url: str, port: int, public_url: str
) -> None:
    parameters = {
        "Stage": "local",
        "PythonRuntime": python_runtime(),
        "Architecture": architecture(),
        "PublicUrl": public_url,
        # The pool's tokens name an issuer at AWS; its keys are here.
        "CognitoEndpoint": ministack.endpoint(port),
        "RealtimeUrl": _sockets(build, ministack.endpoint(port)).replace("http:", "ws:", 1),
        "RealtimeEndpoint": _sockets(build, ministack.endpoint(port)),
        # MiniStack unpacks layers where it likes and not under /opt.
        "ModelDirectory": str(model_cache()),
        "LogRetentionDays": "7",
        # One machine plays every caller: the limits are there, and out of its way.
        "TenantRate": "60000",
        "TenantBurst": "6000",
        "ActorRate": "60000",
        "ActorBurst": "6000",
        "AddressRate": "600",
        "AddressBurst": "600",
        "EmailRate": "120",
        "EmailBurst": "120",
    }
    name = f"deploy-{time.time_ns()}"
    cloudformation.create_change_set(
        StackName=STACK,
        ChangeSetName=name,
        ChangeSetType="UPDATE" if _describe(cloudformation) else "CREATE",
        TemplateURL=template_url,
        Capabilities=["CAPABILITY_IAM", "CAPABILITY_AUTO_EXPAND"],
        Parameters=[{"ParameterKey": key, "ParameterValue": value} for key, value in parameters.items()],
        Tags=[{"Key": DIGEST_TAG, "Value": digest_of(build.digest, public_url)}],
    )
    deadline = time.monotonic() + PATIENCE_SECONDS
    while (state := cloudformation.describe_change_set(StackName=STACK, ChangeSetName=name))[
        "Status"
    ] != "CREATE_COMPLETE":
        if state["Status"] == "FAILED" or time.monotonic() > deadline:
            raise LocalError(
                f"the change set failed: {state.get('StatusReason', state['Status'])}",
                "Mend template.yaml and try again.",
            )
        time.sleep(0.1)
    cloudformation.execute_change_set(StackName=STACK, ChangeSetName=name)
    while (stack := _describe(cloudformation)) is None or stack["StackStatus"].endswith("_IN_PROGRESS"):
        if time.monotonic() > deadline:
            raise LocalError(
                f"the deployment is not done after {PATIENCE_SECONDS:.0f} s", "Look at 'almanac logs ministack'."
            )
        time.sleep(0.1)


def _sockets(build: Build, endpoint: str) -> str:
    """Return where the WebSocket API is: sockets and what is posted to them take the same path."""
    resources = build.document["Resources"]
    api_id = resources["RealtimeApi"]["Properties"]["Tags"]["ms-custom-id"]
    return f"{endpoint}/_aws/execute-api/{api_id}/{resources['RealtimeStage']['Properties']['StageName']}"


def _describe(cloudformation: "CloudFormationClient") -> Any:
    try:
        stacks = cloudformation.describe_stacks(StackName=STACK)["Stacks"]
    except ClientError:
        return None
    standing = [stack for stack in stacks if stack["StackStatus"] not in {"DELETE_COMPLETE", "REVIEW_IN_PROGRESS"}]
    return standing[0] if standing else None


def _remove_failed(cloudformation: "CloudFormationClient") -> None:
    """Delete a stack whose first creation failed: CloudFormation updates none such."""
    stack = _describe(cloudformation)
    if stack is None or stack["StackStatus"] not in {"CREATE_FAILED", "ROLLBACK_COMPLETE", "ROLLBACK_FAILED"}:
        return
    cloudformation.delete_stack(StackName=STACK)
    deadline = time.monotonic() + PATIENCE_SECONDS
    while _describe(cloudformation) is not None and time.monotonic() < deadline:
        time.sleep(0.1)


def failure_reasons(cloudformation: "CloudFormationClient") -> str:
    """Return the newest failures that the stack's events tell, one to a line."""
    try:
        events = cloudformation.describe_stack_events(StackName=STACK)["StackEvents"]
    except ClientError as error:
        return str(error)
    failed = [event for event in events if event.get("ResourceStatus", "").endswith("FAILED")]
    lines = [
        f"  {event['LogicalResourceId']}: {event.get('ResourceStatusReason', 'no reason given')}" for event in failed
    ]
    return "\n".join(lines[:5]) or "  the stack's events tell no reason; see 'almanac logs ministack'"
