"""What a scene is, as classes; and the network that reads it from a picture."""
import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F

from . import world
from .clock import Budget
from .pictures import as_tensor

HEADS = {
    "kind": ["land", "still"], "time": world.TIMES, "sky": world.SKYW, "body": world.BODY,
    "terrain": world.TERRAIN + ["none"], "ground": world.GROUND + world.FLOORS, "prop": world.PROPS + ["none"],
    "count": [0, 1, 2, 3],
}


def labels(scene):
    """Class indices (-1 where the scene has no such attribute), colours present, shapes present."""
    index = {k: HEADS[k].index(scene[k]) if k in scene else -1 for k in ("kind", "time", "sky", "body", "terrain", "prop")}
    index["ground"] = HEADS["ground"].index(scene.get("ground") or scene["floor"])
    solids = scene.get("objs", [])
    index["count"] = len(solids)
    colours, shapes = np.zeros(10, np.float32), np.zeros(5, np.float32)
    for solid in solids:
        colours[world.COLN.index(solid["col"])] = 1
        shapes[world.SOLIDS.index(solid["shape"])] = 1
    if scene.get("propcol"):
        colours[world.COLN.index(scene["propcol"])] = 1
    return index, colours, shapes


class Reader(nn.Module):
    """A small convolutional network over 64 px pictures."""

    def __init__(self):
        super().__init__()
        layers, width = [], 3
        for channels in (32, 64, 96, 128):
            layers += [nn.Conv2d(width, channels, 3, 2, 1), nn.BatchNorm2d(channels), nn.ReLU()]
            width = channels
        self.features = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.2), nn.Linear(128 * 16, 256), nn.ReLU())
        self.heads = nn.ModuleDict({k: nn.Linear(256, len(v)) for k, v in HEADS.items()})
        self.colours = nn.Linear(256, 10)

    def forward(self, x):
        features = self.features(x)
        return {k: head(features) for k, head in self.heads.items()}, self.colours(features)


def prepare(pictures):
    """uint8 [N, H, W, 3] to f32 [N, 3, 64, 64]."""
    return F.avg_pool2d(as_tensor(pictures), pictures.shape[1] // 64)


def train(renders, minutes):
    """Trains a reader for so many minutes on renders: pairs of the first seed and pictures."""
    torch.manual_seed(0)
    x = torch.cat([prepare(pictures[i:i + 100]).half() for _, pictures in renders for i in range(0, len(pictures), 100)])
    rows = [labels(world.scene(first + i)) for first, pictures in renders for i in range(len(pictures))]
    classes = {k: torch.tensor([r[0][k] for r in rows]) for k in HEADS}
    colours = torch.tensor(np.stack([r[1] for r in rows]))
    reader = Reader()
    optimizer = torch.optim.AdamW(reader.parameters(), 2e-3, weight_decay=0.02)
    budget = Budget(minutes)
    while (share := budget.share()) < 1:
        for group in optimizer.param_groups:
            group["lr"] = 2e-3 * 0.5 * (1 + float(np.cos(np.pi * share)))
        i = torch.randint(0, len(x), (64,))
        # Noise and a soft copy, so that a decoder's blur is no surprise.
        batch = x[i].float()
        if torch.rand(()) < 0.4:
            batch = F.interpolate(F.avg_pool2d(batch, 2), scale_factor=2, mode="bilinear")
        found, found_colours = reader(batch + 0.03 * torch.randn_like(batch))
        loss = sum(F.cross_entropy(found[k], classes[k][i], ignore_index=-1) for k in HEADS)
        loss = loss + 3 * F.binary_cross_entropy_with_logits(found_colours, colours[i])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return reader.eval()


@torch.no_grad()
def score(reader, pictures, scenes):
    """Share of pictures whose attribute is read as the scene has it; the colour of single solids apart."""
    found, found_colours = reader(prepare(pictures))
    rows = [labels(s) for s in scenes]
    shares = {}
    for k in HEADS:
        wanted = torch.tensor([r[0][k] for r in rows])
        seen = wanted >= 0
        shares[k] = float((found[k].argmax(1)[seen] == wanted[seen]).float().mean())
    single = [i for i, s in enumerate(scenes) if len(s.get("objs", [])) == 1]
    right = [int(found_colours[i].argmax()) == world.COLN.index(scenes[i]["objs"][0]["col"]) for i in single]
    shares["colour of one solid"] = float(np.mean(right)) if right else float("nan")
    shares["single solids"] = len(single)
    return shares
