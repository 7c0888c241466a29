rule report:
    input:
        runs=lambda wildcards: list_needed_files(config),
        defaults=local(f"{ROOT}/config/config.yaml"),
        templates=[local(file) for file in list_templates(SCRIPTS)],
        vocabulary=[local(file) for file in list_vocabulary(config)],
    output:
        directory("results/<name>report"),
    log:
        "logs/<name>report.log",
    benchmark:
        "results/benchmarks/<name>report.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=lambda wildcards: read_report(config) | {"there": list_states(config)},
        code=code("report.py"),
    script:
        "../scripts/report.py"
