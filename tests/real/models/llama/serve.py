"""Runs llama.cpp's own HTTP server, out of the xllamacpp wheel: serve.py MODEL.gguf PORT (the model's name is "tiny")"""

import sys
import time

import xllamacpp

parameters = xllamacpp.CommonParams()
parameters.model.path = sys.argv[1]
parameters.model_alias = {"tiny"} if not isinstance(parameters.model_alias, str) else "tiny"
parameters.hostnames = ["127.0.0.1"]
parameters.port = int(sys.argv[2])
parameters.n_ctx = 512
parameters.n_parallel = 2
parameters.n_threads_http = 4
server = xllamacpp.Server(parameters)
print("listening", server.listening_address, flush=True)
while True:
    time.sleep(3600)
