"""Writes a tiny llama model of random weights (0.5 MB), so that llama.cpp's server has something to load: make_tiny.py FILE

The vocabulary is one byte a token. The rows of the output matrix that would emit control or raw-byte tokens are zero: a random
model that emits them makes the server answer 500.
"""

import sys

import gguf
import numpy as np

WIDTH, LAYERS, HEADS = 64, 2, 4
SPECIAL = [b"<unk>", b"<s>", b"</s>"] + [b"<0x%02X>" % byte for byte in range(256)]
PRINTABLE = [bytes([byte]) for byte in range(33, 127)] + ["▁".encode()]


def main(path):
    random = np.random.default_rng(1)

    def weights(*shape):
        return (random.standard_normal(shape) * 0.05).astype(np.float32)

    ones = np.ones(WIDTH, np.float32)
    writer = gguf.GGUFWriter(path, "llama")
    describe(writer)
    tokens = len(SPECIAL) + len(PRINTABLE)
    output = weights(tokens, WIDTH) * 4
    output[: len(SPECIAL)] = 0
    writer.add_tensor("token_embd.weight", weights(tokens, WIDTH))
    writer.add_tensor("output_norm.weight", ones)
    writer.add_tensor("output.weight", output)
    for layer in range(LAYERS):
        for name in ("attn_q", "attn_k", "attn_v", "attn_output"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", weights(WIDTH, WIDTH))
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", ones)
        writer.add_tensor(f"blk.{layer}.ffn_gate.weight", weights(2 * WIDTH, WIDTH))
        writer.add_tensor(f"blk.{layer}.ffn_up.weight", weights(2 * WIDTH, WIDTH))
        writer.add_tensor(f"blk.{layer}.ffn_down.weight", weights(WIDTH, 2 * WIDTH))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def describe(writer):
    writer.add_name("tiny")
    writer.add_context_length(512)
    writer.add_embedding_length(WIDTH)
    writer.add_block_count(LAYERS)
    writer.add_feed_forward_length(2 * WIDTH)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(HEADS)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(WIDTH // HEADS)
    writer.add_vocab_size(len(SPECIAL) + len(PRINTABLE))
    writer.add_file_type(0)
    writer.add_tokenizer_model("llama")
    writer.add_token_list(SPECIAL + PRINTABLE)
    writer.add_token_types([2, 3, 3] + [6] * 256 + [1] * len(PRINTABLE))
    writer.add_token_scores([0.0] * len(SPECIAL) + [-float(rank) for rank in range(len(PRINTABLE))])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_unk_token_id(0)
    writer.add_chat_template("{% for m in messages %}{{ m['role'] }}: {{ m['content'] }}\n{% endfor %}assistant:")


main(sys.argv[1])
