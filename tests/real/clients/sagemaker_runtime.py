"""Invokes an endpoint as boto3 does: sagemaker_runtime.py [--wrong-secret] URL TARGET_MODEL… ("stream" instead of a model reads an event
stream)

Prints a line of JSON for each call: what came back, or which error boto3 made of it.
"""

import json
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError


def client(url, secret):
    return boto3.client(
        "sagemaker-runtime",
        endpoint_url=url,
        region_name="us-east-1",
        aws_access_key_id="AKIDEXAMPLE",
        aws_secret_access_key=secret,
        config=Config(retries={"total_max_attempts": 1}, connect_timeout=5, read_timeout=30),
    )


def invoke(runtime, target):
    if target == "stream":
        answer = runtime.invoke_endpoint_with_response_stream(EndpointName="mme", ContentType="application/json", Body=b"{}")
        return {"parts": [part["PayloadPart"]["Bytes"].decode() for part in answer["Body"]]}
    answer = runtime.invoke_endpoint(
        EndpointName="mme",
        TargetModel=target,
        ContentType="application/json",
        Accept="application/json",
        CustomAttributes="tenant=a, trace=  two  spaces",
        InferenceId="i-1",
        SessionId="NEW_SESSION",
        TargetVariant="AllTraffic",
        Body=b'{"a":1}',
    )
    return {"variant": answer["InvokedProductionVariant"], "body": json.loads(answer["Body"].read())}


def main():
    arguments, secret = sys.argv[1:], "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"
    if arguments[0] == "--wrong-secret":
        arguments, secret = arguments[1:], "nobody's"
    runtime = client(arguments[0], secret)
    for target in arguments[1:]:
        try:
            line = {"target": target, "status": 200, **invoke(runtime, target)}
        except ClientError as error:
            status = error.response["ResponseMetadata"]["HTTPStatusCode"]
            line = {"target": target, "status": status, "error": error.response["Error"]["Code"]}
        print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
