"""The table of layers that `LSTMRegressor.summary` prints."""

from sklstm._network._module import LSTMModule


def layer_table(module: LSTMModule, seq_length: int) -> str:
    """Return a table of layers, output shapes and parameter counts, as Keras prints it."""
    lstm, rows = module.lstm, []
    n_directions = 2 if lstm.bidirectional else 1
    width = n_directions * lstm.hidden_size
    kind = "Bidirectional LSTM" if lstm.bidirectional else "LSTM"
    for layer in range(lstm.num_layers):
        directions = module.weights_of_layers()[layer]
        count = sum(weight.numel() for weights in directions for weight in weights)
        is_last = layer == lstm.num_layers - 1
        shape = f"(None, {width})" if is_last else f"(None, {seq_length}, {width})"
        name = f"lstm_{layer}" if lstm.num_layers > 1 else "lstm"
        rows.append((f"{name} ({kind})", shape, count))
    for name, linear in (("dense", module.dense), ("linear", module.linear)):
        if linear is not None:
            count = sum(weight.numel() for weight in linear.parameters())
            rows.append((f"{name} (Linear)", f"(None, {linear.out_features})", count))
    total = sum(count for *_, count in rows)
    inputs = ("input", f"(None, {seq_length}, {lstm.input_size})", 0)
    lines = [("Layer (type)", "Output shape", "Param #")]
    lines += [(name, shape, f"{count:,}") for name, shape, count in (inputs, *rows)]
    table = [f"{name:<30}{shape:<20}{count:>12}" for name, shape, count in lines]
    rule = "-" * len(table[0])
    size = total * 4 / 1024  # float32
    end = f"Total params: {total:,} ({size:,.2f} KB)"
    return "\n".join([table[0], rule, *table[1:], rule, end])
