// The target has no file yet.
