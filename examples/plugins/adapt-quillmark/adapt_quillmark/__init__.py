"""An example format for adapt: exports of Quillmark, a made-up annotation service."""
