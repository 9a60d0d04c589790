import pytest
from small_runs import assert_same, largest_change, weights

from wordsight.models import checkpoint

# Sums in another order differ by rounding, and Adam makes steps as large from small gradients as from large ones.
ROUNDING = 2e-6


def test_a_step_is_the_same_in_parts(train_here, tmp_path):
    whole = weights(train_here("whole", "--data.batch_size=8"))
    parts = weights(train_here("parts", "--data.batch_size=2", "--data.total_batch=8"))
    assert_same(parts, whole, ROUNDING)
    assert largest_change(whole, checkpoint.load(tmp_path / "start")[0].state_dict()) > 1e-3


def test_two_processes_train_as_one_with_the_double_batch(train_here, train_apart):
    one = weights(train_here("one", "--data.batch_size=8"))
    two = weights(train_apart("two", "--data.batch_size=4", "--trainer.devices=2", "--trainer.strategy=ddp"))
    assert_same(two, one, ROUNDING)


@pytest.mark.slow
def test_two_processes_train_the_cross_modal_branch_later(train_here, train_apart, tmp_path):
    """Until then its weights get no gradient, which processes that share gradients must not wait for."""
    later = ["--model.objective.cross_from=2"]
    one = weights(train_here("one", "--data.batch_size=8", *later))
    two = train_apart("two", "--data.batch_size=4", "--trainer.devices=2", "--trainer.strategy=ddp", *later)
    assert_same(weights(two), one, ROUNDING)
    started = checkpoint.load(tmp_path / "start")[0].state_dict()
    assert largest_change({k: v for k, v in one.items() if k.startswith("text_tower.")}, started) > 1e-4


@pytest.mark.slow
def test_two_processes_accumulate_to_the_same_step(train_here, train_apart):
    one = weights(train_here("one", "--data.batch_size=8"))
    flags = ["--data.batch_size=2", "--data.total_batch=8", "--trainer.devices=2", "--trainer.strategy=ddp"]
    two = train_apart("two", *flags, "--trainer.max_steps=2")
    resumed = train_apart("two", *flags, f"--ckpt_path={two / 'last.ckpt'}")
    assert_same(weights(resumed), one, ROUNDING)


@pytest.mark.slow
def test_two_processes_with_half_the_weights_each(train_here, train_apart, request):
    one = weights(train_here("one", "--data.batch_size=8"))
    recipe = request.config.rootpath / "recipes" / "clip4str" / "fsdp.yaml"
    flags = ["--data.batch_size=4", "--trainer.devices=2", "--config", str(recipe)]
    two = train_apart("two", *flags, "--trainer.max_steps=2")
    resumed = train_apart("two", *flags, f"--ckpt_path={two / 'last.ckpt'}")
    assert_same(weights(resumed), one, ROUNDING)


@pytest.mark.slow
def test_two_processes_with_half_the_weights_each_train_the_cross_modal_branch_later(
    train_here, train_apart, request, tmp_path
):
    """Weights without gradients are gathered and spread like the others, and the copy of a decoder is one of parts."""
    later = "--model.objective.cross_from=2"
    one = weights(train_here("one", "--data.batch_size=8", later))
    recipe = request.config.rootpath / "recipes" / "clip4str" / "fsdp.yaml"
    two = train_apart("two", "--data.batch_size=4", "--trainer.devices=2", "--config", str(recipe), later)
    assert_same(weights(two), one, ROUNDING)
    started = checkpoint.load(tmp_path / "start")[0].state_dict()
    assert largest_change({k: v for k, v in one.items() if k.startswith("text_tower.")}, started) > 1e-4
