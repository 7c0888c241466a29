rule figure1:
    input:
        real="results/{dataset}/images/train.parquet".format(**config["figures"]),
        pretrained=shards(config["figures"]["dataset"], "pretrained"),
        finetuned=shards(config["figures"]["dataset"], "finetuned"),
    output:
        "results/figures/figure1.png",
    log:
        "logs/figures/figure1.log",
    benchmark:
        "results/benchmarks/figures/figure1.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=config["figures"],
        code=code("figure1.py"),
    script:
        "../scripts/figure1.py"
