"""The agent of a school whose seal is a token in the office: fetches digests, signs, brings the values back."""
