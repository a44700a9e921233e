"""Values to the strings of SWF and back: the codec, fields, references to large values, and where objects are kept."""
