"""How the checkpoints beside this file were made, each by the libraries in its name, on Python 3.11:

pip install torch==2.0.1 pytorch-lightning==2.0.9 omegaconf==2.3.0 'numpy<2'
python make.py torch-2.0.1-lightning-2.0.9-list.ckpt list

As PARSeq's and CLIP4STR's code trains: AdamW under OneCycleLR, the options of a Hydra configuration as they come.
`list`: each option an argument, some of them OmegaConf's lists; `config`: the whole configuration at once.
PyTorch 1.13 imports on Python 3.11 after torch/distributed/_shard/sharded_tensor/metadata.py got dataclasses with
`unsafe_hash=True`.
"""

import sys

import pytorch_lightning as pl
import torch
from omegaconf import OmegaConf

CONFIG = OmegaConf.create(
    {
        "charset_train": "abc",
        "charset_test": "ab",
        "img_size": [32, 128],
        "patch_size": [4, 8],
        "perm_num": 6,
        "lr": 7e-4,
        "betas": [0.9, 0.98],
        "decode_ar": True,
        "name": "vl4str",
        "freeze": None,
        "nested": {"a": [1, "x"]},
    }
)


class Net(pl.LightningModule):
    def __init__(self, config=None, **options):
        super().__init__()
        self.save_hyperparameters(*([config] if config is not None else options))
        self.encoder = torch.nn.Linear(3, 2)

    def training_step(self, batch, _):
        return self.encoder(batch).sum()

    def train_dataloader(self):
        return torch.utils.data.DataLoader(torch.ones(8, 3), batch_size=2)

    def configure_optimizers(self):
        optimizer = torch.optim.AdamW(self.parameters(), lr=1e-3)
        schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, 1e-3, 10, pct_start=0.075, cycle_momentum=False)
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


if __name__ == "__main__":
    file, kind = sys.argv[1:]
    torch.manual_seed(0)
    net = Net(CONFIG) if kind == "config" else Net(**dict(CONFIG))
    trainer = pl.Trainer(max_steps=2, logger=False, accelerator="cpu", devices=1)
    trainer.fit(net)
    trainer.save_checkpoint(file)
