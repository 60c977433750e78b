"""One canary for each private symbol of moto that is patched: it fails when a new moto no longer has it."""

from __future__ import annotations

import json
import string
import subprocess
import sys
import threading
from typing import Any

import boto3
import moto.core.responses
import moto.core.utils
from botocore.hooks import EventAliaser, HierarchicalEmitter
from moto.core.request import Request
from moto.moto_api._internal import mock_random as moto_random

from localaws import models, moto_bridge
from localaws.cloud import Cloud
from tests.support import ROOT

A, REGION = "111111111111", "us-east-1"


def test_what_events_are_called_is_kept_for_all_sessions() -> None:
    """botocore.hooks.EventAliaser._alias_name_cache: each session would look 128 names up again."""
    made: list[Any] = [EventAliaser(HierarchicalEmitter(), aliases) for aliases in (None, {"ec2": "machines"})]
    ours, others = made
    assert ours._alias_event_name("before-call.ec2") == "before-call.ec2" == models.NAMED["before-call.ec2"]
    assert ours._alias_event_name("before-call.elbv2") == models.NAMED["before-call.elbv2"] != "before-call.elbv2"
    assert others._alias_event_name("before-call.ec2") == "before-call.machines"
    assert models.NAMED["before-call.ec2"] == "before-call.ec2"


def test_moto_leaves_the_conditions_of_bucket_policies_to_the_authorizer(cloud: Cloud) -> None:
    """FakeBucket.get_permission: moto would refuse every object of a bucket that denies plain HTTP."""
    s3 = cloud.root(A, REGION).client("s3")
    s3.create_bucket(Bucket="sagemaker-x")
    statement = {
        "Sid": "DenyDeletionByOthers",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "s3:*",
        "Resource": ["arn:aws:s3:::sagemaker-x", "arn:aws:s3:::sagemaker-x/*"],
        "Condition": {"StringEquals": {"aws:PrincipalAccount": "222222222222"}},
    }
    s3.put_bucket_policy(Bucket="sagemaker-x", Policy=json.dumps({"Version": "2012-10-17", "Statement": [statement]}))
    s3.put_object(Bucket="sagemaker-x", Key="k", Body=b"v")
    assert s3.get_object(Bucket="sagemaker-x", Key="k")["Body"].read() == b"v"


def test_sessions_of_boto3_share_a_loader_and_so_do_the_services_of_moto() -> None:
    """botocore.session.create_loader and moto.core.utils.create_loader: each would read the same files again."""
    assert boto3.Session()._session.get_component("data_loader") is models.CLIENTS
    read = models.MOTO.load_service_model("codepipeline", "service-2")
    assert moto.core.utils._load_service_model("codepipeline", "service-2") is read


def test_an_account_counts_the_aws_policies_that_it_attached_itself(cloud: Cloud) -> None:
    """IAMBackend._init_aws_policies, AWSManagedPolicy.attach_to: 1,582 policies are kept once, not per account."""
    name = "arn:aws:iam::aws:policy/ReadOnlyAccess"
    statement = {"Effect": "Allow", "Principal": {"AWS": A}, "Action": "sts:AssumeRole"}
    trust = {"Version": "2012-10-17", "Statement": [statement]}
    mine, other = (cloud.root(account, REGION).client("iam") for account in (A, "222222222222"))
    mine.create_role(RoleName="r", AssumeRolePolicyDocument=json.dumps(trust))
    mine.attach_role_policy(RoleName="r", PolicyArn=name)
    assert mine.get_policy(PolicyArn=name)["Policy"]["AttachmentCount"] == 1
    assert other.get_policy(PolicyArn=name)["Policy"]["AttachmentCount"] == 0
    mine.detach_role_policy(RoleName="r", PolicyArn=name)
    assert mine.list_policies(OnlyAttached=True)["Policies"] == []


def test_a_request_at_the_root_is_the_one_that_moto_makes_itself() -> None:
    """moto.core.request: Request.from_primitives, PRESERVED_HEADER_NAMES_ENVIRON_KEY, environ_key_for_header."""
    host, body = "logs.us-east-1.amazonaws.com", b'{"a": "b"}'
    headers = {"content-type": "application/x-amz-json-1.1", "x-amz-target": "Logs_20140328.X", "host": host}
    made = moto_bridge.at_the_root("POST", host, headers, body)
    own = Request.from_primitives("POST", f"https://{host}/", headers, body)
    objects = {"wsgi.input", "wsgi.errors", "werkzeug.request"}
    assert {k: v for k, v in made.environ.items() if k not in objects} == {
        k: v for k, v in own.environ.items() if k not in objects
    }
    assert (made.raw_url, made.data) == (own.raw_url, own.data)


def test_moto_reads_the_names_of_a_services_operations_once() -> None:
    """moto.core.responses.method_names_from_class: moto would inspect the class for every request."""
    from moto.sns.responses import SNSResponse

    names = moto.core.responses.method_names_from_class(SNSResponse)
    assert "create_topic" in names
    assert moto.core.responses.method_names_from_class(SNSResponse) is names


def test_moto_draws_letters_and_digits() -> None:
    """MotoRandom.get_random_string: 52 of them for every answer, drawn one by one."""
    assert moto_random.get_random_string.__func__ is moto_bridge._random_string
    drawn = moto_random.get_random_string(5_000)  # so many that none of the 62 characters is missing by chance
    assert len(drawn) == 5_000
    assert set(drawn) == set(string.ascii_letters + string.digits)
    assert set(moto_random.get_random_string(5_000, include_digits=False, lower_case=True)) == set(
        string.ascii_lowercase
    )


def test_moto_makes_the_state_of_an_account_once() -> None:
    """BackendDict._create_account_specific_backend: moto would walk all accounts for every look at a state."""
    from moto.core.base_backend import BackendDict
    from moto.sns.models import sns_backends

    assert BackendDict._create_account_specific_backend is moto_bridge.make_once
    made = sns_backends["666666666666"][REGION]
    assert dict.__contains__(sns_backends, "666666666666")
    assert sns_backends["666666666666"][REGION] is made
    assert moto_bridge.backend("sns", "666666666666", REGION) is made


def test_moto_loads_the_code_of_a_service_with_its_first_state() -> None:
    """backends.ALT_SERVICE_NAMES, and where moto keeps a service's state: an account without one needs no code."""
    code = (
        "from localaws import moto_bridge as m; print([m.begun(n) for n in ('iam', 'swf', 'application-autoscaling')])"
    )
    more = "; m.backend('application-autoscaling', '1' * 12, 'us-east-1'); print(m.begun('application-autoscaling'))"
    done = subprocess.run([sys.executable, "-c", code + more], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:2] == ["[True, False, False]", "True"]


def test_an_object_that_many_write_and_read_at_once_is_always_whole(cloud: Cloud) -> None:
    s3 = cloud.root("111111111111", "us-east-1").client("s3")
    s3.create_bucket(Bucket="of-many-writers")
    wrong: list[str] = []

    def write_and_read(letter: bytes) -> None:
        for _ in range(15):
            try:
                s3.put_object(Bucket="of-many-writers", Key="one", Body=letter * 10_000)
                s3.list_objects_v2(Bucket="of-many-writers")
                content = s3.get_object(Bucket="of-many-writers", Key="one")["Body"].read()
                if len(content) != 10_000 or len({*content}) != 1:
                    wrong.append(f"{len(content)} bytes of { ({*content}) }")
            except Exception as error:  # every kind is a failure of the test below
                wrong.append(repr(error))

    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-5)
    try:
        threads = [threading.Thread(target=write_and_read, args=(letter.encode(),)) for letter in "abcdefgh"]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert wrong == []
