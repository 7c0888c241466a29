rule models:
    log:
        "logs/models.log",
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    params:
        cfg=reads("models"),
        code=code("models.py"),
    script:
        "../scripts/models.py"
