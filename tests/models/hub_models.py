"""Text encoders as the hub has them, two layers deep, with tokenizers trained on a few words in two scripts."""

import json

import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

WORDS = ["Hallo", "Welt", "Straße", "Exit", "12", "улица", "Москва", "выход", "привет", "мир", "Мир", "é"]


def _word_pieces() -> Tokenizer:
    """As mBERT's."""
    tokenizer = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    tokenizer.train_from_iterator(WORDS, trainers.WordPieceTrainer(vocab_size=90, special_tokens=special))
    tokenizer.post_processor = processors.TemplateProcessing(
        "[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
    )
    tokenizer.enable_padding(length=12)
    return tokenizer


def _unigram() -> Tokenizer:
    """As XLM-R's."""
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>"]
    trainer = trainers.UnigramTrainer(vocab_size=80, special_tokens=special, unk_token="<unk>", show_progress=False)
    tokenizer.train_from_iterator(WORDS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing("<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 2)])
    return tokenizer


def _bytes() -> Tokenizer:
    """As CLIP's: the end of a text is also what fills it up."""
    tokenizer = Tokenizer(models.BPE(end_of_word_suffix="</w>"))
    tokenizer.normalizer = normalizers.Lowercase()
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=320,
        special_tokens=["<|s|>", "<|e|>"],
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    tokenizer.train_from_iterator(WORDS, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        "<|s|> $A <|e|>", special_tokens=[("<|s|>", 0), ("<|e|>", 1)]
    )
    return tokenizer


def _configs():
    import transformers as hub

    sizes = {"hidden_size": 16, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 32}
    ends = {"bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
    text = {**sizes, **ends, "vocab_size": 320, "max_position_embeddings": 24}
    vision = {**sizes, "image_size": 16, "patch_size": 8}
    distil = {"dim": 16, "n_layers": 2, "n_heads": 2, "hidden_dim": 32}
    return {
        "bert": (hub.BertConfig(vocab_size=90, max_position_embeddings=24, **sizes), _word_pieces),
        "xlm-r": (hub.XLMRobertaConfig(vocab_size=80, max_position_embeddings=26, **sizes), _unigram),
        "distilbert": (hub.DistilBertConfig(vocab_size=90, max_position_embeddings=24, **distil), _word_pieces),
        "clip text": (hub.CLIPTextConfig(**text), _bytes),
        "clip": (hub.CLIPConfig(text_config=text, vision_config=vision), _bytes),
        "siglip": (hub.SiglipConfig(text_config=text, vision_config=vision), _bytes),
        "t5": (hub.T5Config(vocab_size=80, d_model=16, d_kv=8, d_ff=32, num_layers=2, num_heads=2), _unigram),
        "vit": (hub.ViTConfig(**sizes, image_size=16, patch_size=8), _unigram),
    }


KINDS = ("bert", "xlm-r", "distilbert", "clip text", "clip", "siglip")


def save_hub_model(kind, folder):
    """A folder as `save_pretrained` makes it."""
    from transformers import AutoModel

    config, tokenizer = _configs()[kind]
    torch.manual_seed(0)
    model = AutoModel.from_config(config)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 0.3 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    (folder / "tokenizer.json").write_text(json.dumps(json.loads(tokenizer().to_str())))
    return folder
