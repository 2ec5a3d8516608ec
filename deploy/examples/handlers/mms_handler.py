"""A handler for Multi Model Server (the SageMaker container contract) that tells what weir cannot see from outside: the time that
features and the model took, and since when the features are. Put the marked lines into your own handler, and let weir keep the headers
as its README shows. Through SageMaker's own endpoint such headers do not pass: weir has to stand in the container, beside MMS.
"""

import time


def features_of(row):  # stands for yours; gives the features and when they were made, Unix time
    return len(row.get("body") or row.get("data") or b""), time.time() - 90


def model(features):  # stands for yours
    return {"length": features}


def handle(rows, context):
    if rows is None:  # the load
        return None
    answers = []
    for index, row in enumerate(rows):
        began = time.perf_counter()  # weir
        features, made_at = features_of(row)
        extracted = time.perf_counter()  # weir
        answers.append(model(features))
        ended = time.perf_counter()  # weir
        context.set_response_header(index, "X-Feature-Ms", f"{(extracted - began) * 1000:.3f}")  # weir
        context.set_response_header(index, "Server-Timing", f"infer;dur={(ended - extracted) * 1000:.3f}")  # weir
        context.set_response_header(index, "X-Features-From", f"{made_at:.3f}")  # weir
    return answers
