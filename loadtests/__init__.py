"""What hocba bears at a term's end: load, measured from outside, with goals that can fail."""
