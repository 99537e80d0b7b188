"""A whole term end played through the public doors, with generated people; `hocba demo` and the end-to-end tests use it."""
