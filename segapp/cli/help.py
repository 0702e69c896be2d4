"""The short help of the trainer's verbs; `--help_all` lists every option there is."""

PAGES = {
    "fit": """\
usage: segapp fit --config FILE [--data FILE] [--model FILE] [options]

Train a network. Writes runs/<name>/<time>/ and ends with a table of scores and the next command to type.

  --config FILE                 the complete config of a run, such as configs/unet.yaml
  --data FILE                   replaces parts of its data section; configs/data/mine.yaml is a template
  --model FILE                  replaces parts of its model section; see configs/model/
  --name NAME                   the run is written to runs/NAME/<time>
  --ckpt_path FILE              resume a run from its checkpoints/last.ckpt; no config is needed
  --init_from FILE              start from a checkpoint's weights, also with other classes or channels
  --job NAME                    written to runs/<name>/NAME; the same job started again resumes
  --seed_everything NUMBER      another seed is another order, augmentation and initialisation

  --data.batch_size NUMBER      samples per step and device
  --data.crop '[H, W]'          size of the random crops
  --data.num_workers NUMBER     processes that prepare batches
  --model.optimizer.init_args.lr NUMBER
  --model.net.init_args.long_skip none|add|concat
  --model.net.init_args.encoder.init_args.block.short_skip none|add|concat
  --trainer.max_epochs NUMBER
  --trainer.devices NUMBER      with --trainer.strategy ddp for several
  --trainer.precision 32-true|bf16-mixed|16-mixed   default: the fastest safe one

  --dry_run                     measure memory, time per epoch, FLOPs and parameters in a few steps; keeps no files
  --print_config                print the complete config of the run, and stop
  --help_all                    list every option (hundreds: all of Lightning's Trainer)

examples:
  segapp fit --config configs/unet.yaml
  segapp fit --config configs/unet.yaml --data configs/data/mine.yaml --name mine
  segapp fit --config configs/unet.yaml --model configs/model/residual.yaml --trainer.max_epochs 30
  segapp fit --ckpt_path runs/mine/<time>/checkpoints/last.ckpt
""",
    "score": """\
usage: segapp {verb} --ckpt_path FILE [options]

Score a checkpoint on the {images} images, complete and at their stored size. The checkpoint holds its network and its
data; what you type overrides it. Writes <run>/{verb}-<n>/{{metrics.json, per_image.csv{report}}} and prints a table.

  --ckpt_path FILE              runs/<name>/<time>/checkpoints/best.ckpt
  --data FILE                   score on other data with the same classes
  --data.overlap FRACTION       of an evaluation window that its neighbour also sees
  --fail_under NAME=VALUE       exit with code 1 where this score of metrics.json is lower: iou/dataset=0.8; repeat it
{tolerance}  --trainer.devices NUMBER      with --trainer.strategy ddp for several
  --trainer.precision 32-true|bf16-mixed|16-mixed   default: as trained
  --help_all                    every option

example:
  segapp {verb} --ckpt_path runs/unet/<time>/checkpoints/best.ckpt
""",
}


def format_page(verb: str) -> str:
    """Format the help of `fit`, `validate` or `test`."""
    if verb == "fit":
        return PAGES["fit"]
    images, report = ("validation", "") if verb == "validate" else ("test", ", report.html")
    about = "that surface Dice tolerates: 2px, or 1mm, which measures distances in mm\n"
    tolerance = "" if verb == "validate" else f"  --tolerance DISTANCE          {about}"
    return PAGES["score"].format(verb=verb, images=images, report=report, tolerance=tolerance)
