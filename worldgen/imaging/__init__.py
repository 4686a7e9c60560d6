"""Measures that both control maps and critic need: edges, blur, flow, structure, appearance."""
