"""Protobuf on one side, commands, events and refusals of grading on the other; nothing else knows both."""
