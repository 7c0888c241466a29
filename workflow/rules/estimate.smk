rule estimate:
    log:
        "logs/estimate.log",
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    params:
        cfg=reads("estimate"),
        code=code("estimate.py"),
    script:
        "../scripts/estimate.py"
