é
"serve*2.21.0*8
__saved_model_init_op
__saved_model_init_op*H
serve?

xÿÿÿÿÿÿÿÿÿ!
output_0ÿÿÿÿÿÿÿÿÿ*R
serving_default?

xÿÿÿÿÿÿÿÿÿ!
output_0ÿÿÿÿÿÿÿÿÿ