"""Talks to an OpenAI-compatible server with the official client: openai_chat.py URL MODEL

Prints a line of JSON: the models listed, a plain completion's token count, and what a streamed completion was made of.
"""

import json
import sys

import openai


def main(url, model):
    client = openai.OpenAI(base_url=url, api_key="sk-none", max_retries=0, timeout=30)
    ask = {"model": model, "messages": [{"role": "user", "content": "hi"}], "max_tokens": 8}
    plain = client.chat.completions.create(**ask)
    chunks = list(client.chat.completions.create(**ask, stream=True, stream_options={"include_usage": True}))
    answer = {
        "models": [listed.id for listed in client.models.list().data],
        "completion_tokens": plain.usage.completion_tokens,
        "prompt_tokens": plain.usage.prompt_tokens + chunks[-1].usage.prompt_tokens,
        "chunks": len(chunks),
        "streamed_tokens": chunks[-1].usage.completion_tokens,
    }
    print(json.dumps(answer))


main(sys.argv[1], sys.argv[2])
