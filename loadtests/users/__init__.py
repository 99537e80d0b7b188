"""Who comes to hocba at a term's end, as Locust users."""
