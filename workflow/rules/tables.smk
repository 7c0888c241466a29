rule table:
    input:
        runs=lambda wildcards: list_inputs(
            plan.list_table_runs, f"table{wildcards.number}"
        ),
        notices=lambda wildcards: plan.list_notice_files(
            config, plan.list_table_runs(config, f"table{wildcards.number}")
        ),
    output:
        csv=report(
            "results/<name>tables/table{number}.csv",
            caption="../report/table.rst",
            category="Tables",
            labels={"table": "{number}"},
        ),
        md="results/<name>tables/table{number}.md",
        tex="results/<name>tables/table{number}.tex",
        runs="results/<name>tables/table{number}_runs.csv",
    log:
        "logs/<name>tables/table{number}.log",
    benchmark:
        "results/benchmarks/<name>tables/table{number}.tsv"
    wildcard_constraints:
        number="[1-5]",
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=reads("table"),
        code=code("tables.py"),
    script:
        "../scripts/tables.py"


rule tables:
    input:
        plan.list_table_files(config),
    localrule: True


rule diagnostics:
    input:
        list_paths(plan.list_diagnostic_runs(config)),
    output:
        csv=report(
            "results/<name>tables/diagnostics.csv",
            caption="../report/diagnostics.rst",
            category="Tables",
            labels={"table": "diagnostics"},
        ),
        md="results/<name>tables/diagnostics.md",
    log:
        "logs/<name>tables/diagnostics.log",
    benchmark:
        "results/benchmarks/<name>tables/diagnostics.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=reads("diagnostics"),
        code=code("diagnostics.py"),
    script:
        "../scripts/diagnostics.py"


rule repetitions:
    input:
        lambda wildcards: list_inputs(plan.list_table_runs, "table1"),
    output:
        csv="results/<name>tables/repetitions.csv",
        md="results/<name>tables/repetitions.md",
    log:
        "logs/<name>tables/repetitions.log",
    benchmark:
        "results/benchmarks/<name>tables/repetitions.tsv"
    localrule: True
    conda:
        "../../envs/mvc.yaml"
    params:
        cfg=reads("repetitions"),
        code=code("repetitions.py"),
    script:
        "../scripts/repetitions.py"
