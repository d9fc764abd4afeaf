"""The W&B workspace that compares methods: its definition, ``workspace.yaml``, and what makes a workspace of it."""
