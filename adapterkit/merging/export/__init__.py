"""Adapters for other programs: whole models, and files that llama.cpp, vLLM and the hub's users read."""
