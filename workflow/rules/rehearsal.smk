rule rehearsal:
    input:
        list_rehearsed_files(config),
    output:
        "results/<name>rehearsal.md",
    log:
        "logs/<name>rehearsal.log",
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    threads: 1
    params:
        cfg=reads("rehearsal"),
        code=code("rehearsal.py"),
    script:
        "../scripts/rehearsal.py"
