rule tables:
    input:
        table_runs(),
    output:
        csv=ensure("results/tables/table1.csv", non_empty=True),
        md=ensure("results/tables/table1.md", non_empty=True),
        runs=ensure("results/tables/table1_runs.csv", non_empty=True),
    log:
        "logs/tables/table1.log",
    benchmark:
        "results/benchmarks/tables/table1.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=config["tables"],
        code=code("tables.py"),
    script:
        "../scripts/tables.py"


rule diagnostics:
    input:
        diagnostic_runs(),
    output:
        csv=ensure("results/tables/diagnostics.csv", non_empty=True),
        md=ensure("results/tables/diagnostics.md", non_empty=True),
    log:
        "logs/tables/diagnostics.log",
    benchmark:
        "results/benchmarks/tables/diagnostics.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=config["tables"],
        code=code("diagnostics.py"),
    script:
        "../scripts/diagnostics.py"
