"""What a shell that completes a command is answered."""
