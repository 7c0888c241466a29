rule estimate:
    output:
        "results/estimate.md",
    log:
        "logs/estimate.log",
    benchmark:
        "results/benchmarks/estimate.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    params:
        cfg=estimate_settings(),
        code=code("estimate.py"),
    script:
        "../scripts/estimate.py"
