"""The national register of transcripts (kho học bạ số): the ministry's own system, which shares no database and no broker with any province."""
