"""mmdet and mmpose driven by adapt: configs, the training loop and saved models. Needs the extra `[detection]`.

In the order of the flow:

    doctor                    optional packages, for `adapt doctor`
    availability              installation and import of OpenMMLab
    mmcv_ops_shim             mmcv's operators by torchvision
    xtcocotools_shim          xtcocotools by pycocotools
    contracts                 what each task gives the shared code
    task                      a task as the pipeline sees it
    known_classes             classes of the model that START_FROM names
    config_files              the files of MODEL_PATH
    trusted_configs           which configs may be read
    known_types               what may be built from them
    model_builder             the model: config adapted, built, weights loaded
    model_config              changes to a config that every task needs
    cfg_options               the user's changes to a config
    backbones                 timm backbones, and weights of a backbone
    timm_backbone             a timm model as mmengine's module
    weights                   weights of a checkpoint that fit
    photo                     images as both packages take them
    detectors/                datasets, pipelines and predictions of mmdet
    augmentation_seed         augmentation as a function of seed, epoch and image
    repeats                   images with rare classes, shown more often
    sampler                   the order of training examples
    datasets                  splits as datasets of mmdet or mmpose
    dataloader                batches for training and evaluation
    preview                   drawn images for the report and `adapt check`
    activation_memory         bytes that a forward pass keeps
    activation_checkpointing  GRADIENT_CHECKPOINTING
    spec                      the optimizers and schedules of the loop
    last_evaluation           the last evaluation of a run, for whoever asks
    fused_convolutions        FUSE_CONVOLUTIONS: evaluation with less reading and writing
    frozen_backbone           what a backbone that does not train makes of images, kept on disk
    loop                      one Runner of mmengine for one job
    optimizer                 OPTIMIZER as `optim_wrapper`
    named                     an optimizer and a schedule by dotted names
    weight_decay              parameters that decay
    autocast                  bfloat16 mixed precision
    schedules                 the learning rate schedule
    budget                    the steps and the schedule that fit into BUDGET
    train_loop                the train loop of the Runner
    hooks                     metrics, evaluations and checkpoints while it trains
    progress                  the position of a run
    checkpoints               checkpoints of a run
    averaged_weights          an exponential moving average of the weights
    kept_weights              the weights that a run ends with
    validation_loss           METRIC_FOR_BEST: loss
    predicted_split           the images of the test split, for DO_PREDICT
    model_folder              a model on disk, for adapt and for plain OpenMMLab
"""
