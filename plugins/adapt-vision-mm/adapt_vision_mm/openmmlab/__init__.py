"""OpenMMLab driven by adapt: its operators, configs, training loop and saved forms. Needs the extra `[detection]`."""
