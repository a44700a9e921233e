"""Values as SWF's strings and back: the codec, fields, references to large values, objects, numpy and pandas."""
