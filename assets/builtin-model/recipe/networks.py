"""The three networks' sizes, as diffusers and transformers classes."""
from diffusers import AutoencoderKL, UNet2DConditionModel
from transformers import CLIPTextConfig, CLIPTextModel

TOKENS = 48
TEXT_WIDTH = 128


def vae(size=128):
    """AutoencoderKL, 8x smaller, 4 channels, 2.8 M parameters."""
    return AutoencoderKL(
        latent_channels=4, block_out_channels=(32, 32, 64, 128), layers_per_block=1, norm_num_groups=16, sample_size=size,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, act_fn="silu")


def unet(latent_size=16):
    """UNet2DConditionModel, 10.9 M parameters; fully convolutional, so that larger sizes can be fine-tuned."""
    return UNet2DConditionModel(
        sample_size=latent_size, layers_per_block=1, block_out_channels=(64, 128, 192),
        down_block_types=("DownBlock2D", "CrossAttnDownBlock2D", "CrossAttnDownBlock2D"),
        up_block_types=("CrossAttnUpBlock2D", "CrossAttnUpBlock2D", "UpBlock2D"),
        attention_head_dim=(2, 4, 6), cross_attention_dim=TEXT_WIDTH, norm_num_groups=32, use_linear_projection=True)


def text_encoder(tokenizer):
    """CLIP's text model, 3 layers, 0.7 M parameters."""
    return CLIPTextModel(CLIPTextConfig(
        vocab_size=len(tokenizer), hidden_size=TEXT_WIDTH, intermediate_size=512, num_hidden_layers=3,
        num_attention_heads=4, max_position_embeddings=TOKENS, projection_dim=TEXT_WIDTH, hidden_act="quick_gelu",
        bos_token_id=tokenizer.bos_token_id, eos_token_id=tokenizer.eos_token_id, pad_token_id=tokenizer.eos_token_id))
